import { Button, classes, Dialog } from "@conclave/ui";
import { Trans, useLingui } from "@lingui/react/macro";
import { Check, Minus, ShieldCheck } from "lucide-react";
import { type JSX, type ReactNode, useState } from "react";
import styles from "./ProtectionLine.module.css";

const c = classes(styles);

/** What holds for every call, in one line, and the way to more of it. */
export function ProtectionLine(): JSX.Element {
  const { t } = useLingui();
  const [isOpen, setOpen] = useState(false);
  return (
    <div className={c("line")}>
      <ShieldCheck className={c("icon")} size={20} aria-hidden />
      <div className={c("text")}>
        <p className={c("words")}>
          <Trans>
            Every call is end-to-end encrypted: its keys are on the devices of the people in it.
          </Trans>
        </p>
        <div className={c("more")}>
          <Button variant="quiet" onPress={() => setOpen(true)}>
            <Trans>How calls are protected</Trans>
          </Button>
        </div>
      </div>
      <Dialog
        isOpen={isOpen}
        onClose={() => setOpen(false)}
        title={t`How calls are protected`}
        closeLabel={t`Close`}
        isText
      >
        <Words />
      </Dialog>
    </div>
  );
}

function Words(): JSX.Element {
  return (
    <div className={c("parts")}>
      <ul className={c("list")}>
        <Point holds>
          <Trans>
            Sound, picture, shared screens, chat and names are encrypted on your device and opened
            only on the devices of the people in the meeting. The server passes on what it cannot
            read.
          </Trans>
        </Point>
        <Point holds>
          <Trans>
            Who comes in is decided by the people in the meeting and by the link, not by the server.
            A meeting’s rules cannot be changed afterwards.
          </Trans>
        </Point>
        <Point holds>
          <Trans>There is no unprotected call: what cannot be encrypted is not sent.</Trans>
        </Point>
        <Point>
          <Trans>The server sees when you call, from which address, and how much is sent.</Trans>
        </Point>
        <Point>
          <Trans>
            A guest’s name is their own word. In the call, people are marked by how it is known who
            they are.
          </Trans>
        </Point>
      </ul>
      <p>
        <Trans>
          In a call, the shield at the top says at each moment what holds, what it is based on, and
          what it does not cover. There is a safety code, too, to read to each other.
        </Trans>
      </p>
    </div>
  );
}

function Point({
  holds = false,
  children,
}: {
  readonly holds?: boolean;
  readonly children: ReactNode;
}): JSX.Element {
  const Icon = holds ? Check : Minus;
  return (
    <li className={c("point")}>
      <Icon className={c(holds && "icon")} size={18} aria-hidden />
      <span>{children}</span>
    </li>
  );
}
