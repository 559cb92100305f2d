import { LoaderCircle } from "lucide-react";
import type { JSX, ReactNode } from "react";
import { Button as AriaButton, type ButtonProps as AriaButtonProps } from "react-aria-components";
import styles from "./Button.module.css";
import { classes } from "./classes";
import { Tooltip } from "./Tooltip";

const c = classes(styles);

export type ButtonVariant = "primary" | "secondary" | "outline" | "quiet" | "danger";

export interface ButtonProps
  extends Omit<AriaButtonProps, "className" | "style" | "children" | "isPending"> {
  readonly variant?: ButtonVariant;
  readonly size?: "medium" | "large";
  /** Takes the whole width of its place. */
  readonly wide?: boolean;
  readonly icon?: ReactNode;
  /** What it was pressed for is under way. */
  readonly isPending?: boolean;
  readonly children: ReactNode;
}

/**
 * A button with words. While `isPending` it keeps its focus and its place.
 *
 * React Aria's own `isPending` speaks through a live region of its own, which for some seconds
 * refers to a button that may be gone; whoever waits is told through ours.
 */
export function Button({
  variant = "secondary",
  size = "medium",
  wide = false,
  icon,
  isPending = false,
  children,
  ...props
}: ButtonProps): JSX.Element {
  return (
    <AriaButton
      {...props}
      className={c(
        "button",
        variant !== "secondary" && variant,
        size === "large" && "large",
        wide && "wide",
      )}
    >
      {isPending ? <LoaderCircle className={c("spin")} size={20} aria-hidden /> : icon}
      <span>{children}</span>
    </AriaButton>
  );
}

export interface IconButtonProps extends Omit<AriaButtonProps, "className" | "style" | "children"> {
  /** Its name, said and shown as a tooltip. */
  readonly label: string;
  readonly variant?: ButtonVariant;
  readonly children: ReactNode;
}

/** A button with an icon alone; its name shows as a tooltip. */
export function IconButton({
  label,
  variant = "quiet",
  children,
  ...props
}: IconButtonProps): JSX.Element {
  return (
    <Tooltip text={label}>
      <AriaButton
        {...props}
        aria-label={label}
        className={c("button", "square", variant !== "secondary" && variant)}
      >
        {children}
      </AriaButton>
    </Tooltip>
  );
}
