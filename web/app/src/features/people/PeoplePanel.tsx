import type { CallCommands, ParticipantSnapshot, PersonId } from "@conclave/client";
import { Avatar, classes, IconButton } from "@conclave/ui";
import { Trans, useLingui } from "@lingui/react/macro";
import { AudioLines, Mic, MicOff, Pin, PinOff } from "lucide-react";
import { type JSX, memo, type ReactNode } from "react";
import { SidePanel } from "../../layout/SidePanel";
import { useNameOf } from "../../person/names";
import { QualityMark } from "../../person/QualityMark";
import { useSnapshot } from "../../useSnapshot";
import styles from "./PeoplePanel.module.css";

const c = classes(styles);

export interface PeoplePanelProps {
  readonly call: CallCommands;
  readonly pinned: PersonId | undefined;
  readonly onPin: (id: PersonId | undefined) => void;
  readonly onClose: () => void;
  /** The way to invite others. */
  readonly invite: ReactNode;
}

/** Who is in the call, how each is heard and connected, and the way to invite others. */
export function PeoplePanel({
  call,
  pinned,
  onPin,
  onClose,
  invite,
}: PeoplePanelProps): JSX.Element {
  const { t } = useLingui();
  const others = useSnapshot(call, (snapshot) => snapshot.others);
  const count = others.length + 1;
  return (
    <SidePanel title={<Trans>People ({count})</Trans>} onClose={onClose}>
      <ul className={c("list")} aria-label={t`People`}>
        <Self call={call} />
        {others.map((person) => (
          <Person key={person.id} person={person} isPinned={person.id === pinned} onPin={onPin} />
        ))}
      </ul>
      <div className={c("invite")}>
        <h3 className={c("inviteTitle")}>
          <Trans>Invite others</Trans>
        </h3>
        {invite}
      </div>
    </SidePanel>
  );
}

function Self({ call }: { readonly call: CallCommands }): JSX.Element {
  const self = useSnapshot(call, (snapshot) => snapshot.self);
  return (
    <li className={c("person")}>
      <Avatar name={self.name} />
      <div className={c("who")}>
        <div className={c("name")} title={self.name}>
          {self.name}
        </div>
        <div className={c("detail")}>
          <Trans>You</Trans>
        </div>
      </div>
      <div className={c("signs")}>
        <VoiceSign muted={self.microphone.state.kind !== "on"} speaking={self.speaking} />
        <QualityMark quality={self.quality} />
      </div>
    </li>
  );
}

interface PersonProps {
  readonly person: ParticipantSnapshot;
  readonly isPinned: boolean;
  readonly onPin: (id: PersonId | undefined) => void;
}

const Person = memo(function Person({ person, isPinned, onPin }: PersonProps): JSX.Element {
  const { t } = useLingui();
  const name = useNameOf()(person.name);
  return (
    <li className={c("person")}>
      <Avatar name={person.name} />
      <div className={c("who")}>
        <div className={c("name")} title={name}>
          {name}
        </div>
        <Detail person={person} />
      </div>
      <div className={c("signs")}>
        <VoiceSign muted={person.muted} speaking={person.speaking} />
        <QualityMark quality={person.connected ? person.quality : "lost"} />
      </div>
      <IconButton
        label={isPinned ? t`Unpin ${name}` : t`Pin ${name}`}
        onPress={() => onPin(isPinned ? undefined : person.id)}
      >
        {isPinned ? (
          <PinOff className={c("pinned")} size={18} aria-hidden />
        ) : (
          <Pin size={18} aria-hidden />
        )}
      </IconButton>
    </li>
  );
});

function Detail({ person }: { readonly person: ParticipantSnapshot }): JSX.Element | null {
  if (!person.connected) {
    return (
      <div className={c("detail")}>
        <Trans>Reconnecting…</Trans>
      </div>
    );
  }
  if (person.screen === undefined) return null;
  return (
    <div className={c("detail")}>
      <Trans>Sharing the screen</Trans>
    </div>
  );
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
