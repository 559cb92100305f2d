import { Button, classes, useAnnounce } from "@conclave/ui";
import { Trans, useLingui } from "@lingui/react/macro";
import { Check, KeyRound } from "lucide-react";
import type { JSX } from "react";
import { CopyLink } from "./CopyLink";
import styles from "./HostLinks.module.css";
import { useCopy } from "./useCopy";

const c = classes(styles);

export interface HostLinksProps {
  /** The guests' link. */
  readonly invitation: string;
  /** What makes a host of whoever opens it. */
  readonly hostLink: string;
}

/** Right after creating a meeting: the link for others, and the one for oneself. */
export function HostLinks({ invitation, hostLink }: HostLinksProps): JSX.Element {
  return (
    <section className={c("card")} aria-labelledby="created-title">
      <h2 className={c("title")} id="created-title">
        <Trans>Your meeting is ready</Trans>
      </h2>
      <p className={c("text")}>
        <Trans>
          You are its host on this device. Send the invitation to those you want to meet.
        </Trans>
      </p>
      <CopyLink link={invitation} prominent />
      <HostLink hostLink={hostLink} />
    </section>
  );
}

function HostLink({ hostLink }: { readonly hostLink: string }): JSX.Element {
  const { t } = useLingui();
  const announce = useAnnounce();
  const [state, copy] = useCopy(hostLink, () => announce(t`Host link copied`));
  return (
    <div className={c("host")}>
      <p className={c("quiet")} id="host-link-words">
        <Trans>
          For another device of yours; do not share it. Whoever opens it is host. It is shown only
          now.
        </Trans>
      </p>
      <Button
        variant="outline"
        icon={
          state === "copied" ? <Check size={18} aria-hidden /> : <KeyRound size={18} aria-hidden />
        }
        aria-describedby="host-link-words"
        onPress={copy}
      >
        {state === "copied" ? t`Copied` : t`Copy host link`}
      </Button>
      {state === "refused" ? (
        <input
          className={c("link")}
          readOnly
          aria-label={t`Host link`}
          value={hostLink}
          onFocus={(event) => event.currentTarget.select()}
        />
      ) : null}
    </div>
  );
}
