import type { CallCommands, ParticipantSnapshot } from "@conclave/client";
import { Button, classes, Dialog } from "@conclave/ui";
import { Trans, useLingui } from "@lingui/react/macro";
import type { JSX } from "react";
import { useNameOf } from "../../person/names";
import styles from "./RemoveDialog.module.css";

const c = classes(styles);

export interface RemoveDialogProps {
  readonly call: CallCommands;
  /** Who is to go; the dialog is closed while it is nobody. */
  readonly person: ParticipantSnapshot | undefined;
  readonly onClose: () => void;
}

/** Asks before somebody is removed. */
export function RemoveDialog({ call, person, onClose }: RemoveDialogProps): JSX.Element {
  const { t } = useLingui();
  const name = useNameOf()(person?.name ?? "");
  return (
    <Dialog
      isOpen={person !== undefined}
      onClose={onClose}
      title={t`Remove ${name}?`}
      closeLabel={t`Close`}
    >
      <p>
        <Trans>
          {name} gets no new keys and is cut off at once. They may ask to be let in again as long as
          the meeting is not locked.
        </Trans>
      </p>
      <div className={c("actions")}>
        <Button
          variant="danger"
          onPress={() => {
            if (person !== undefined) call.kick(person.id);
            onClose();
          }}
        >
          <Trans>Remove</Trans>
        </Button>
        <Button variant="outline" onPress={onClose} autoFocus>
          <Trans>Cancel</Trans>
        </Button>
      </div>
    </Dialog>
  );
}
