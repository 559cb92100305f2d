import { type JSX, type ReactElement, useContext } from "react";
import {
  Tooltip as AriaTooltip,
  RootMenuTriggerStateContext,
  TooltipTrigger,
} from "react-aria-components";
import { classes } from "./classes";
import styles from "./Tooltip.module.css";

const c = classes(styles);

export interface TooltipProps {
  readonly text: string;
  /** The key that does the same, if there is one. */
  readonly keys?: string | undefined;
  /** A focusable React Aria element. */
  readonly children: ReactElement;
}

/** Names its child on hover and on focus. */
export function Tooltip({ text, keys, children }: TooltipProps): JSX.Element {
  // Beside an open menu it would take the Escape that is meant for the menu.
  const isMenuOpen = useContext(RootMenuTriggerStateContext)?.isOpen === true;
  return (
    <TooltipTrigger delay={500} closeDelay={80} isDisabled={isMenuOpen}>
      {children}
      <AriaTooltip className={c("tooltip")} offset={8}>
        {text}
        {keys === undefined ? null : <kbd className={c("keys")}>{keys}</kbd>}
      </AriaTooltip>
    </TooltipTrigger>
  );
}
