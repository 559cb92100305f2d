import type { JSX } from "react";
import { classes } from "./classes";
import styles from "./Logo.module.css";

const c = classes(styles);

export interface LogoMarkProps {
  /** CSS pixels. */
  readonly size?: number;
}

/**
 * The mark: people seated in a closed circle, and in its middle a keyhole that is a person too.
 */
export function LogoMark({ size = 32 }: LogoMarkProps): JSX.Element {
  return (
    <svg
      className={c("mark")}
      width={size}
      height={size}
      viewBox="0 0 48 48"
      fill="none"
      aria-hidden="true"
    >
      <circle
        cx="24"
        cy="24"
        r="20"
        stroke="currentColor"
        strokeWidth="5"
        strokeLinecap="round"
        strokeDasharray="11.944 9"
        transform="rotate(-107.1 24 24)"
      />
      <path
        d="M24 12.5a6.4 6.4 0 0 1 3.35 11.85l2.5 8.4a2.1 2.1 0 0 1-2 2.75h-7.7a2.1 2.1 0 0 1-2-2.75l2.5-8.4A6.4 6.4 0 0 1 24 12.5Z"
        fill="currentColor"
      />
    </svg>
  );
}

/** Mark and name. */
export function Logo(): JSX.Element {
  return (
    <span className={c("logo")}>
      <LogoMark />
      Conclave
    </span>
  );
}
