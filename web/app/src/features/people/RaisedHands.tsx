import type { CallCommands } from "@conclave/client";
import { classes } from "@conclave/ui";
import { Trans, useLingui } from "@lingui/react/macro";
import { Hand } from "lucide-react";
import { type JSX, useId } from "react";
import { useNameOf } from "../../person/names";
import { useSnapshot } from "../../useSnapshot";
import styles from "./RaisedHands.module.css";

const c = classes(styles);

/** Whose turn it is: raised hands in the order in which they went up. */
export function RaisedHands({ call }: { readonly call: CallCommands }): JSX.Element | null {
  const { t } = useLingui();
  const id = useId();
  const nameOf = useNameOf();
  const hands = useSnapshot(call, (snapshot) => snapshot.hands);
  const others = useSnapshot(call, (snapshot) => snapshot.others);
  const own = useSnapshot(call, ({ self }) => self.id);
  const count = hands.length;
  if (count === 0) return null;
  const wordFor = (person: string): string =>
    person === own ? t`You` : nameOf(others.find((one) => one.id === person)?.name ?? "");
  return (
    <div className={c("hands")}>
      <h3 className={c("title")} id={id}>
        <Hand size={18} aria-hidden />
        <Trans>Raised hands ({count})</Trans>
      </h3>
      <ol className={c("list")} aria-labelledby={id} data-testid="raised-hands">
        {hands.map((person) => (
          <li key={person} className={c("person")}>
            <bdi>{wordFor(person)}</bdi>
          </li>
        ))}
      </ol>
    </div>
  );
}
