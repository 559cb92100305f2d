import { type JSX, useEffect, useRef } from "react";
import { classes } from "./classes";
import styles from "./LevelMeter.module.css";

const c = classes(styles);

const BARS = 16;
const BAR_IDS = Array.from({ length: BARS }, (_, at) => `bar${at}`);

export interface LevelMeterProps {
  readonly label: string;
  /** The level now, 0 to 1; read once a frame. */
  readonly read: () => number;
}

/** How loud a microphone is. Drawn outside React: it moves sixty times a second. */
export function LevelMeter({ label, read }: LevelMeterProps): JSX.Element {
  const root = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let lit = 0;
    let frame = 0;
    const draw = (): void => {
      // Loudness is heard in decibels: the square root brings quiet speech into view.
      const level = Math.sqrt(Math.min(1, Math.max(0, read())));
      const next = Math.round(level * BARS);
      if (next !== lit && root.current !== null) {
        lit = next;
        [...root.current.children].forEach((bar, at) => {
          bar.className = c("bar", at < lit && "lit");
        });
      }
      frame = requestAnimationFrame(draw);
    };
    frame = requestAnimationFrame(draw);
    return () => cancelAnimationFrame(frame);
  }, [read]);
  return (
    <div ref={root} className={c("meter")} role="img" aria-label={label}>
      {BAR_IDS.map((id) => (
        <span key={id} className={c("bar")} />
      ))}
    </div>
  );
}
