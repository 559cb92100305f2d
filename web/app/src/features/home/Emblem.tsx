import { classes } from "@conclave/ui";
import type { JSX } from "react";
import styles from "./HomeView.module.css";

const c = classes(styles);

const SEATS = [
  "seat",
  "seatC",
  "seatB",
  "seat",
  "seatSeal",
  "seatC",
  "seat",
  "seatB",
  "seat",
  "seatC",
  "seat",
  "seatB",
] as const;
const STEP = 360 / SEATS.length;

/** A closed circle of seats around a table whose middle is a keyhole. Decoration. */
export function Emblem(): JSX.Element {
  return (
    <svg className={c("emblem")} viewBox="-120 -120 240 240" aria-hidden="true">
      {SEATS.map((seat, at) => (
        <g key={`${seat}${String(at)}`} transform={`rotate(${String(at * STEP)})`}>
          <circle className={c(seat)} cx="0" cy="-101" r="10.5" />
          <path className={c(seat)} d="M-19-70a19 19 0 0 1 38 0 76 76 0 0 0-38 0Z" />
        </g>
      ))}
      <circle className={c("table")} r="62" strokeWidth="1.5" />
      <path
        className={c("key")}
        d="M0-30a16 16 0 0 1 8.4 29.6l6.2 21a5.25 5.25 0 0 1-5 6.9h-19.2a5.25 5.25 0 0 1-5-6.9l6.2-21A16 16 0 0 1 0-30Z"
      />
    </svg>
  );
}
