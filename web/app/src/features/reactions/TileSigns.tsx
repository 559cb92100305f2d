import type { CallCommands, CallSnapshot, PersonId, ShownReaction } from "@conclave/client";
import { classes } from "@conclave/ui";
import { useLingui } from "@lingui/react/macro";
import { Hand } from "lucide-react";
import type { JSX } from "react";
import { useSnapshot } from "../../useSnapshot";
import { handPlace } from "./handPlace";
import { ReactionIcon } from "./ReactionIcon";
import styles from "./TileSigns.module.css";

const c = classes(styles);

export interface TileSignsProps {
  readonly call: CallCommands;
  readonly person: PersonId | "self";
}

/** On a person's tile: the raised hand with its place in the queue, and the last reaction. */
export function TileSigns({ call, person }: TileSignsProps): JSX.Element | null {
  const { t } = useLingui();
  const place = useSnapshot(call, (snapshot) => {
    const id = idOf(snapshot, person);
    return id === undefined ? 0 : handPlace(snapshot, id);
  });
  const reaction = useSnapshot(call, (snapshot) => lastReaction(snapshot, person));
  if (place === 0 && reaction === undefined) return null;
  return (
    <div className={c("signs")}>
      {place === 0 ? null : (
        <span
          className={c("hand")}
          role="img"
          aria-label={t`Hand raised, number ${place}`}
          data-testid="hand"
        >
          <Hand size={16} aria-hidden />
          {place}
        </span>
      )}
      {reaction === undefined ? null : (
        <span key={reaction.id} className={c("reaction")} data-testid="tile-reaction">
          <ReactionIcon reaction={reaction.reaction} size="clamp(1.5rem, 22cqmin, 3rem)" />
        </span>
      )}
    </div>
  );
}

function idOf({ self }: CallSnapshot, person: PersonId | "self"): PersonId | undefined {
  return person === "self" ? self.id : person;
}

function lastReaction(
  snapshot: CallSnapshot,
  person: PersonId | "self",
): ShownReaction | undefined {
  const id = idOf(snapshot, person);
  return snapshot.reactions.findLast(({ from }) => from === id);
}
