import type { JSX, ReactNode } from "react";
import { Switch as AriaSwitch } from "react-aria-components";
import { classes } from "./classes";
import styles from "./Switch.module.css";

const c = classes(styles);

export interface SwitchProps {
  readonly label: string;
  /** What it does, in a sentence below its label. */
  readonly detail?: ReactNode;
  readonly icon?: ReactNode;
  readonly isOn: boolean;
  readonly onChange: (on: boolean) => void;
}

/** Something that is on or off at once, without a form around it. */
export function Switch({ label, detail, icon, isOn, onChange }: SwitchProps): JSX.Element {
  return (
    <div className={c("field")}>
      <AriaSwitch className={c("switch")} isSelected={isOn} onChange={onChange}>
        {icon}
        <span className={c("label")}>{label}</span>
        <span className={c("track")} aria-hidden>
          <span className={c("knob")} />
        </span>
      </AriaSwitch>
      {detail === undefined ? null : <p className={c("detail")}>{detail}</p>}
    </div>
  );
}
