import type { JSX, ReactNode } from "react";
import {
  Button as AriaButton,
  type ButtonProps as AriaButtonProps,
  ToggleButton as AriaToggleButton,
} from "react-aria-components";
import styles from "./Control.module.css";
import { classes } from "./classes";
import { Tooltip } from "./Tooltip";

const c = classes(styles);

/** `off`: something is off and that matters; `active`: something is on or open; `end`: it ends. */
export type ControlTone = "neutral" | "off" | "active" | "end";

interface ControlFace {
  /** Its name: the same in each state. */
  readonly label: string;
  /** The word beneath the icon, where there is room; a shorter form of the name. */
  readonly caption?: string;
  readonly keys?: string;
  readonly tone?: ControlTone;
  readonly icon: ReactNode;
  readonly badge?: ReactNode;
  /** What the tooltip says instead of the name: what a press does now. */
  readonly hint?: string;
}

function Face({ caption, icon, badge }: ControlFace): JSX.Element {
  return (
    <>
      {icon}
      {caption === undefined ? null : (
        <span className={c("caption")} aria-hidden>
          {caption}
        </span>
      )}
      {badge}
    </>
  );
}

function faceClass({ tone = "neutral" }: ControlFace): string {
  return c("control", tone !== "neutral" && tone);
}

export type ControlButtonProps = ControlFace &
  Omit<AriaButtonProps, "className" | "style" | "children">;

/** A button of the control bar. */
export function ControlButton(props: ControlButtonProps): JSX.Element {
  const { label, caption, keys, tone, icon, badge, hint, ...rest } = props;
  return (
    <Tooltip text={hint ?? label} keys={keys}>
      <AriaButton {...rest} aria-label={label} className={faceClass(props)}>
        <Face {...props} />
      </AriaButton>
    </Tooltip>
  );
}

export interface ControlToggleProps extends ControlFace {
  readonly isOn: boolean;
  readonly onChange: (on: boolean) => void;
  /** Id of the element that says more about its state. */
  readonly describedBy?: string;
}

/**
 * A toggle of the control bar.
 *
 * The label stays the same in both states: a toggle button announces "pressed" by itself, and a
 * label that flips as well reads as its opposite.
 */
export function ControlToggle(props: ControlToggleProps): JSX.Element {
  return (
    <Tooltip text={props.hint ?? props.label} keys={props.keys}>
      <AriaToggleButton
        aria-label={props.label}
        {...(props.describedBy === undefined ? {} : { "aria-describedby": props.describedBy })}
        isSelected={props.isOn}
        onChange={props.onChange}
        className={faceClass(props)}
      >
        <Face {...props} />
      </AriaToggleButton>
    </Tooltip>
  );
}

/** A toggle with the menu that belongs to it. */
export function ControlSplit({ children }: { readonly children: ReactNode }): JSX.Element {
  return <div className={c("split")}>{children}</div>;
}

export interface ControlBadgeProps {
  readonly alert?: boolean;
  readonly text: string;
}

/**
 * A small number or sign on a control; what it says must also be in the control's name. It is
 * drawn by the style sheet: whoever speaks to a computer names the control by its words alone.
 */
export function ControlBadge({ alert = false, text }: ControlBadgeProps): JSX.Element {
  return <span className={c("badge", alert && "alert")} data-text={text} aria-hidden />;
}
