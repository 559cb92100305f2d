import type { CallCommands } from "@conclave/client";
import { Button, classes, Switch, useAnnounce } from "@conclave/ui";
import { Trans, useLingui } from "@lingui/react/macro";
import { Lock, MicOff } from "lucide-react";
import type { JSX } from "react";
import { mayOrder } from "../../person/rights";
import { useSnapshot } from "../../useSnapshot";
import styles from "./PeoplePanel.module.css";

const c = classes(styles);

/** The lock, and what is asked of all; for others, whether the meeting is locked. */
export function MeetingControls({ call }: { readonly call: CallCommands }): JSX.Element | null {
  const { t } = useLingui();
  const announce = useAnnounce();
  const isLocked = useSnapshot(call, ({ group }) => group.locked);
  const may = useSnapshot(call, ({ self }) => mayOrder(self.role));
  const isAlone = useSnapshot(call, ({ others }) => others.length === 0);
  if (!may) {
    return isLocked ? (
      <p className={c("locked")}>
        <Lock size={18} aria-hidden />
        <Trans>The meeting is locked: nobody comes in.</Trans>
      </p>
    ) : null;
  }
  return (
    <div className={c("controls")}>
      <Switch
        label={t`Lock the meeting`}
        detail={
          <Trans>
            Nobody comes in while it is locked, not even with the link; only a proved host.
          </Trans>
        }
        icon={<Lock size={18} aria-hidden />}
        isOn={isLocked}
        onChange={(locked) => call.lock(locked)}
      />
      {isAlone ? null : (
        <Button
          icon={<MicOff size={18} aria-hidden />}
          onPress={() => {
            call.askToMute(undefined);
            announce(t`All were asked to mute`);
          }}
        >
          <Trans>Ask all to mute</Trans>
        </Button>
      )}
    </div>
  );
}
