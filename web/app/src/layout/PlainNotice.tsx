import { Callout } from "@conclave/ui";
import { Trans, useLingui } from "@lingui/react/macro";
import { LockOpen } from "lucide-react";
import type { JSX } from "react";

/** What people must know before they speak: the media is not sealed from the server yet. */
export function PlainNotice(): JSX.Element {
  const { t } = useLingui();
  return (
    <Callout
      tone="caution"
      icon={<LockOpen size={20} aria-hidden />}
      title={t`Not yet end-to-end encrypted`}
    >
      <NoticeWords />
    </Callout>
  );
}

/** Its words alone. */
export function NoticeWords(): JSX.Element {
  return (
    <Trans>
      Sound and picture are encrypted on their way, but the operator of this server could hear and
      see them. Whoever holds a meeting’s link can come in.
    </Trans>
  );
}
