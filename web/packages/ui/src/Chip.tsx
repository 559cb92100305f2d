import type { JSX, ReactNode } from "react";
import { Button as AriaButton, type ButtonProps as AriaButtonProps } from "react-aria-components";
import styles from "./Chip.module.css";
import { classes } from "./classes";
import { Tooltip } from "./Tooltip";

const c = classes(styles);

/** From what is well to what has stopped. */
export type ChipTone = "neutral" | "good" | "caution" | "stop";

export interface ChipProps extends Omit<AriaButtonProps, "className" | "style" | "children"> {
  /** Its name: what it shows, and more where there is no room for it. */
  readonly label: string;
  /** What a press leads to. */
  readonly tip: string;
  readonly tone: ChipTone;
  readonly icon: ReactNode;
  readonly children: ReactNode;
  readonly "data-testid"?: string;
  readonly "data-level"?: string;
}

/** A state in a word, which leads to what is behind it. */
export function Chip({ label, tip, tone, icon, children, ...props }: ChipProps): JSX.Element {
  return (
    <Tooltip text={tip}>
      <AriaButton
        {...props}
        aria-label={label}
        className={c("chip", tone === "neutral" ? undefined : tone)}
      >
        {icon}
        <span className={c("words")}>{children}</span>
      </AriaButton>
    </Tooltip>
  );
}
