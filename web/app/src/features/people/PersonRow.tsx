import type { CallCommands, Membership, ParticipantSnapshot } from "@conclave/client";
import { Avatar, classes } from "@conclave/ui";
import { Trans, useLingui } from "@lingui/react/macro";
import { AudioLines, BadgeCheck, Ban, Mic, MicOff, TriangleAlert } from "lucide-react";
import { type JSX, memo } from "react";
import { useNameOf } from "../../person/names";
import { QualityMark } from "../../person/QualityMark";
import { membershipWords, SOURCE_WORDS } from "../../person/roleWords";
import { useSnapshot } from "../../useSnapshot";
import styles from "./PeoplePanel.module.css";
import { PersonMenu, type PersonMenuProps } from "./PersonMenu";

const c = classes(styles);

/** Oneself, as the others have one. */
export function SelfRow({ call }: { readonly call: CallCommands }): JSX.Element {
  const self = useSnapshot(call, (snapshot) => snapshot.self);
  return (
    <li className={c("person")}>
      <Avatar name={self.name} />
      <div className={c("who")}>
        <div className={c("name")} title={self.name}>
          <Trans>{self.name} (you)</Trans>
        </div>
        <Standing of={self} />
      </div>
      <div className={c("signs")}>
        <VoiceSign muted={self.microphone.state.kind !== "on"} speaking={self.speaking} />
        <QualityMark quality={self.quality} />
      </div>
    </li>
  );
}

/** Another person: who they are by what proof, how they are heard, and what may be done. */
export const PersonRow = memo(function PersonRow(props: PersonMenuProps): JSX.Element {
  const { person } = props;
  const name = useNameOf()(person.name);
  return (
    <li
      className={c("person", person.leaving && "leaving")}
      data-testid="person"
      data-person={person.id}
    >
      <Avatar name={person.name} />
      <div className={c("who")}>
        <div className={c("nameLine")}>
          <span className={c("name")} title={name}>
            {name}
          </span>
          {person.arrived && !person.leaving ? (
            <span className={c("new")}>
              <Trans>New</Trans>
            </span>
          ) : null}
        </div>
        <Standing of={person} />
        <Activity person={person} />
      </div>
      <div className={c("signs")}>
        <VoiceSign muted={person.muted} speaking={person.speaking} />
        <QualityMark quality={person.connected ? person.quality : "lost"} />
      </div>
      <PersonMenu {...props} />
    </li>
  );
});

/** Role and proof, and what a host has forbidden. */
function Standing({ of }: { readonly of: Membership }): JSX.Element {
  const { t } = useLingui();
  const isProved = of.proof === "hostKey";
  const forbidden = of.forbidden.map((what) => t(SOURCE_WORDS[what])).join(", ");
  return (
    <>
      <div className={c("detail", isProved && "proved")}>
        {isProved ? <BadgeCheck size={15} aria-hidden /> : null}
        <span>{t(membershipWords(of))}</span>
      </div>
      {of.nameShared ? (
        <div className={c("detail", "care")}>
          <TriangleAlert size={15} aria-hidden />
          <span>
            <Trans>Somebody else here has the same name</Trans>
          </span>
        </div>
      ) : null}
      {forbidden === "" ? null : (
        <div className={c("detail")}>
          <Ban size={15} aria-hidden />
          <span>
            <Trans>Forbidden: {forbidden}</Trans>
          </span>
        </div>
      )}
    </>
  );
}

function Activity({ person }: { readonly person: ParticipantSnapshot }): JSX.Element | null {
  const words = person.leaving ? (
    <Trans>Leaving; has the keys for a moment still</Trans>
  ) : !person.connected ? (
    <Trans>Reconnecting…</Trans>
  ) : person.screen !== undefined ? (
    <Trans>Sharing the screen</Trans>
  ) : null;
  return words === null ? null : <div className={c("detail")}>{words}</div>;
}

function VoiceSign({
  muted,
  speaking,
}: {
  readonly muted: boolean;
  readonly speaking: boolean;
}): JSX.Element {
  const { t } = useLingui();
  if (muted) return <MicOff className={c("muted")} size={18} role="img" aria-label={t`Muted`} />;
  if (speaking) {
    return <AudioLines className={c("speaking")} size={18} role="img" aria-label={t`Speaking`} />;
  }
  return <Mic size={18} role="img" aria-label={t`Microphone on`} />;
}
