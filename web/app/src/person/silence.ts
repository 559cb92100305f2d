import type { CallSnapshot } from "@conclave/client";

/** Why nothing can be said to the others: it is on the way, or it was stopped for safety. */
export type Silence = "reconnecting" | "stopped";

/** Whether this person can be heard or read at all right now; nothing if so. */
export function silenceOf({
  phase,
  group,
}: Pick<CallSnapshot, "phase" | "group">): Silence | undefined {
  switch (group.state) {
    case "inGroup":
      return phase.kind === "inCall" ? undefined : "reconnecting";
    case "catchingUp":
    case "comingIn":
    case "connecting":
      return "reconnecting";
    default:
      return "stopped";
  }
}
