import type { CallCommands } from "@conclave/client";
import { Button, classes } from "@conclave/ui";
import { Trans, useLingui } from "@lingui/react/macro";
import { UserCheck } from "lucide-react";
import type { JSX } from "react";
import { useSnapshot } from "../../useSnapshot";
import { KnockList } from "./KnockList";
import { Locked } from "./LobbyPrompt";
import styles from "./LobbySection.module.css";

const c = classes(styles);

/** All who ask to come in, in the panel of people. */
export function LobbySection({ call }: { readonly call: CallCommands }): JSX.Element | null {
  const { t } = useLingui();
  const knocks = useSnapshot(call, ({ group }) => group.knocks);
  const isLocked = useSnapshot(call, ({ group }) => group.locked);
  const count = knocks.length;
  if (count === 0) return null;
  return (
    <section className={c("section")} aria-labelledby="lobby-title">
      <h3 className={c("title")} id="lobby-title">
        <Trans>Asking to come in ({count})</Trans>
      </h3>
      {isLocked ? (
        <Locked call={call} />
      ) : (
        <KnockList call={call} knocks={knocks} label={t`Asking to come in`} />
      )}
      {count > 1 && !isLocked ? (
        <Button
          icon={<UserCheck size={18} aria-hidden />}
          onPress={() => {
            for (const { knocker } of knocks) call.admit(knocker);
          }}
        >
          <Trans>Let all in</Trans>
        </Button>
      ) : null}
    </section>
  );
}
