import type {
  CallCommands,
  Membership,
  ParticipantSnapshot,
  PersonId,
  Tile,
  VideoSnapshot,
} from "@conclave/client";
import { Avatar, classes, IconButton, toneOf } from "@conclave/ui";
import { Trans, useLingui } from "@lingui/react/macro";
import {
  AudioLines,
  BadgeCheck,
  CirclePause,
  CircleQuestionMark,
  MicOff,
  MonitorUp,
  Pin,
  PinOff,
  TriangleAlert,
  UserRoundCog,
} from "lucide-react";
import { type CSSProperties, type JSX, memo, type ReactNode } from "react";
import { Picture } from "../../devices/Picture";
import { useNameOf } from "../../person/names";
import { QualityMark } from "../../person/QualityMark";
import { membershipWords } from "../../person/roleWords";
import { useSnapshot } from "../../useSnapshot";
import styles from "./CallTile.module.css";

const c = classes(styles);

/** A circle as large as the tile carries, in container units. */
const AVATAR_SIZE = "clamp(2.25rem, 34cqmin, 8rem)";

export interface CallTileProps {
  readonly call: CallCommands;
  readonly tile: Tile;
  /** Place and size, from the stage. */
  readonly style: CSSProperties;
  readonly isPinned: boolean;
  readonly onPin: (id: PersonId | undefined) => void;
  /** What is drawn over the person's picture besides the name. */
  readonly signsOf: (participant: Tile["participant"]) => ReactNode;
}

/**
 * One picture on the stage. It reads its own person from the call, so that one who starts to
 * speak redraws one tile.
 */
export const CallTile = memo(function CallTile(props: CallTileProps): JSX.Element | null {
  return props.tile.participant === "self" ? <SelfTile {...props} /> : <OtherTile {...props} />;
});

function OtherTile(props: CallTileProps): JSX.Element | null {
  const { call, tile, style, isPinned, onPin, signsOf } = props;
  const person = useSnapshot(call, ({ others }) =>
    others.find(({ id }) => id === tile.participant),
  );
  // It left between two renders.
  if (person === undefined) return null;
  const tools = <PinTool person={person} isPinned={isPinned} onPin={onPin} />;
  return tile.source === "screen" ? (
    <ScreenTile person={person} style={style} tools={tools} />
  ) : (
    <CameraTile
      person={person}
      style={style}
      tools={
        <>
          {signsOf(person.id)}
          {tools}
        </>
      }
    />
  );
}

interface PersonTileProps {
  readonly person: ParticipantSnapshot;
  readonly style: CSSProperties;
  readonly tools: ReactNode;
}

function CameraTile({ person, style, tools }: PersonTileProps): JSX.Element {
  const { t } = useLingui();
  const name = useNameOf()(person.name);
  const { camera } = person;
  const stream = camera?.state === "live" && person.connected ? camera.stream : undefined;
  return (
    <article
      className={c("tile", person.speaking && "speaking")}
      style={{ ...style, "--tone": toneOf(person.name) } as CSSProperties}
      aria-label={name}
      data-testid="tile"
      data-participant={person.id}
      data-kind="camera"
      data-state={videoState(camera)}
    >
      {stream === undefined ? (
        <div className={c("absent", camera?.state === "waiting" && "waiting")}>
          <Avatar name={person.name} size={AVATAR_SIZE} />
          <AbsenceWords person={person} />
        </div>
      ) : (
        <Picture stream={stream} className={c("picture")} label={t`Picture of ${name}`} />
      )}
      <Plate
        name={name}
        of={person}
        muted={person.muted}
        speaking={person.speaking}
        quality={person.connected ? person.quality : "lost"}
        paused={camera?.state === "paused"}
      />
      {tools}
    </article>
  );
}

function ScreenTile({ person, style, tools }: PersonTileProps): JSX.Element {
  const { t } = useLingui();
  const name = useNameOf()(person.name);
  const { screen } = person;
  const label = t`Screen of ${name}`;
  const stream = screen?.state === "live" ? screen.stream : undefined;
  return (
    <article
      className={c("tile", "screen")}
      style={style}
      aria-label={label}
      data-testid="tile"
      data-participant={person.id}
      data-kind="screen"
      data-state={videoState(screen)}
    >
      {stream === undefined ? (
        <div className={c("absent", "waiting")}>
          <MonitorUp size={40} aria-hidden />
          <p className={c("state")}>
            {screen?.state === "paused" ? (
              <Trans>Paused: the connection is too slow</Trans>
            ) : (
              <Trans>The shared screen is coming…</Trans>
            )}
          </p>
        </div>
      ) : (
        <Picture stream={stream} className={c("picture", "whole")} label={label} />
      )}
      <span className={c("plate")}>
        <MonitorUp size={16} aria-hidden />
        <span className={c("name")}>{label}</span>
      </span>
      {tools}
    </article>
  );
}

function SelfTile({ call, style, signsOf }: CallTileProps): JSX.Element {
  const { t } = useLingui();
  const self = useSnapshot(call, (snapshot) => snapshot.self);
  const isLive = self.cameraStream !== undefined;
  return (
    <article
      className={c("tile", self.speaking && "speaking")}
      style={{ ...style, "--tone": toneOf(self.name) } as CSSProperties}
      aria-label={t`You`}
      data-testid="tile"
      data-participant="self"
      data-kind="self"
      data-state={isLive ? "live" : "off"}
    >
      {self.cameraStream === undefined ? (
        <div className={c("absent")}>
          <Avatar name={self.name} size={AVATAR_SIZE} />
        </div>
      ) : (
        <Picture
          stream={self.cameraStream}
          className={c("picture", "mirrored")}
          label={t`Your own picture`}
        />
      )}
      <Plate
        name={t`You`}
        of={undefined}
        muted={self.microphone.state.kind !== "on"}
        speaking={self.speaking}
        quality={self.quality}
      />
      {signsOf("self")}
    </article>
  );
}

function videoState(video: VideoSnapshot | undefined): string {
  return video?.state ?? "off";
}

function AbsenceWords({ person }: { readonly person: ParticipantSnapshot }): JSX.Element | null {
  const words = !person.connected ? (
    <Trans>Reconnecting…</Trans>
  ) : person.camera?.state === "paused" ? (
    <Trans>Picture paused: the connection is too slow</Trans>
  ) : null;
  return words === null ? null : <p className={c("state")}>{words}</p>;
}

interface PlateProps {
  readonly name: string;
  /** Whose name it is; nothing for oneself. */
  readonly of: Membership | undefined;
  readonly muted: boolean;
  readonly speaking: boolean;
  readonly quality: ParticipantSnapshot["quality"];
  readonly paused?: boolean;
}

function Plate({ name, of, muted, speaking, quality, paused = false }: PlateProps): JSX.Element {
  const { t } = useLingui();
  return (
    <span className={c("plate")}>
      {muted ? (
        <MicOff className={c("muted")} size={16} role="img" aria-label={t`Muted`} />
      ) : speaking ? (
        <AudioLines className={c("speech")} size={16} role="img" aria-label={t`Speaking`} />
      ) : null}
      <span className={c("name")}>{name}</span>
      {of === undefined ? null : <StandingMark of={of} />}
      {paused ? <CirclePause size={16} role="img" aria-label={t`Picture paused`} /> : null}
      {quality === "good" ? null : <QualityMark quality={quality} />}
    </span>
  );
}

/** By what proof the name stands, in a sign. */
function StandingMark({ of }: { readonly of: Membership }): JSX.Element {
  const { t } = useLingui();
  if (of.nameShared) {
    const label = t`Somebody else here has the same name`;
    return <TriangleAlert className={c("shared")} size={15} role="img" aria-label={label} />;
  }
  const label = t(membershipWords(of));
  if (of.proof === "hostKey") return <BadgeCheck size={15} role="img" aria-label={label} />;
  const Icon = of.role === "guest" ? CircleQuestionMark : UserRoundCog;
  return <Icon className={c("unproved")} size={14} role="img" aria-label={label} />;
}

interface PinToolProps {
  readonly person: ParticipantSnapshot;
  readonly isPinned: boolean;
  readonly onPin: (id: PersonId | undefined) => void;
}

function PinTool({ person, isPinned, onPin }: PinToolProps): JSX.Element {
  const { t } = useLingui();
  const name = useNameOf()(person.name);
  return (
    <div className={c("tools", isPinned && "pinnedTools")}>
      <IconButton
        label={isPinned ? t`Unpin ${name}` : t`Pin ${name}`}
        onPress={() => onPin(isPinned ? undefined : person.id)}
      >
        {isPinned ? <PinOff size={20} aria-hidden /> : <Pin size={20} aria-hidden />}
      </IconButton>
    </div>
  );
}
