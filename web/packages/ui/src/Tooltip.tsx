import type { JSX, ReactElement } from "react";
import { Tooltip as AriaTooltip, TooltipTrigger } from "react-aria-components";
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
  return (
    <TooltipTrigger delay={500} closeDelay={80}>
      {children}
      <AriaTooltip className={c("tooltip")} offset={8}>
        {text}
        {keys === undefined ? null : <kbd className={c("keys")}>{keys}</kbd>}
      </AriaTooltip>
    </TooltipTrigger>
  );
}
