import { CircleAlert, CircleCheck, Info, TriangleAlert } from "lucide-react";
import type { JSX, ReactNode } from "react";
import styles from "./Callout.module.css";
import { classes } from "./classes";

const c = classes(styles);

export type CalloutTone = "info" | "caution" | "error" | "good";

const ICONS = { info: Info, caution: TriangleAlert, error: CircleAlert, good: CircleCheck };

export interface CalloutProps {
  readonly tone?: CalloutTone;
  readonly title?: string;
  /** Instead of the tone's own. */
  readonly icon?: ReactNode;
  readonly actions?: ReactNode;
  /** `alert` when it answers what the person just did. */
  readonly role?: "alert" | "status" | "note";
  readonly children: ReactNode;
}

/** Words that stand apart: what happened, and what to do. */
export function Callout({
  tone = "info",
  title,
  icon,
  actions,
  role = "note",
  children,
}: CalloutProps): JSX.Element {
  const Icon = ICONS[tone];
  return (
    <div className={c("callout", tone !== "info" && tone)} role={role}>
      <span className={c("icon")}>{icon ?? <Icon size={20} aria-hidden />}</span>
      <div className={c("text")}>
        {title === undefined ? null : <span className={c("title")}>{title}</span>}
        <div>{children}</div>
        {actions === undefined ? null : <div className={c("actions")}>{actions}</div>}
      </div>
    </div>
  );
}
