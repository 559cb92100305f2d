import { classes, Dialog } from "@conclave/ui";
import type { MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import { Trans, useLingui } from "@lingui/react/macro";
import type { JSX } from "react";
import styles from "./ShortcutsDialog.module.css";

const c = classes(styles);

const ROWS: readonly {
  readonly does: MessageDescriptor;
  readonly keys: readonly (string | MessageDescriptor)[];
}[] = [
  { does: msg`Microphone on or off`, keys: ["M"] },
  { does: msg`Speak while the key is held`, keys: [msg`Space bar`] },
  { does: msg`Camera on or off`, keys: ["V"] },
  { does: msg`Share your screen, or stop`, keys: ["S"] },
  { does: msg`Raise or lower your hand`, keys: ["H"] },
  { does: msg`Choose a reaction`, keys: ["R"] },
  { does: msg`Show or hide the chat`, keys: ["C"] },
  { does: msg`Show or hide people`, keys: ["P"] },
  { does: msg`Next layout`, keys: ["L"] },
  { does: msg`Page back or on`, keys: ["←", "→"] },
  { does: msg`Show this list`, keys: ["?"] },
];

export interface ShortcutsDialogProps {
  readonly isOpen: boolean;
  readonly onClose: () => void;
}

/** The keys of a call. */
export function ShortcutsDialog({ isOpen, onClose }: ShortcutsDialogProps): JSX.Element {
  const { t } = useLingui();
  return (
    <Dialog isOpen={isOpen} onClose={onClose} title={t`Keyboard shortcuts`} closeLabel={t`Close`}>
      <dl className={c("keys")}>
        {ROWS.map(({ does, keys }) => (
          <div key={does.id} className={c("row")}>
            <dt>{t(does)}</dt>
            <dd className={c("combo")}>
              {keys.map((key) => {
                const text = typeof key === "string" ? key : t(key);
                return (
                  <kbd key={text} className={c("key")}>
                    {text}
                  </kbd>
                );
              })}
            </dd>
          </div>
        ))}
      </dl>
      <p className={c("note")}>
        <Trans>They rest while you type in a field. You can switch them off in the settings.</Trans>
      </p>
    </Dialog>
  );
}
