import type { CallCommands } from "@conclave/client";
import { Button, classes, LogoMark, useAnnounce, VisuallyHidden } from "@conclave/ui";
import { Trans, useLingui } from "@lingui/react/macro";
import { Lock, RefreshCw } from "lucide-react";
import { type JSX, type ReactNode, useEffect, useRef } from "react";
import { Picture } from "../../devices/Picture";
import { useDocumentTitle } from "../../useDocumentTitle";
import { useNarrow } from "../../useNarrow";
import { useSnapshot } from "../../useSnapshot";
import styles from "./CallView.module.css";
import { ControlBar, type Surroundings } from "./ControlBar";
import { Stage, type StageProps } from "./Stage";
import { Toasts } from "./Toasts";

const c = classes(styles);

export interface CallViewProps extends Surroundings {
  readonly call: CallCommands;
  readonly page: number;
  readonly onPage: StageProps["onPage"];
  readonly onPin: StageProps["onPin"];
  readonly signsOf: StageProps["signsOf"];
  /** What passes in a corner of the stage. */
  readonly corner: ReactNode;
  /** The panel beside the stage, while it is open. */
  readonly side: ReactNode;
  /** The way to invite others. */
  readonly invite: ReactNode;
  /** How the call is protected. */
  readonly shield: ReactNode;
  /** Those who ask to come in, over a corner of the stage. */
  readonly lobby: ReactNode;
  /** What stands in the place of the pictures while nothing is sent. */
  readonly interruption: ReactNode;
}

/** A call: its pictures, its state, its controls. */
export function CallView(props: CallViewProps): JSX.Element {
  const { call, page, onPage, onPin, signsOf, corner, layout, side, invite, interruption } = props;
  const { t } = useLingui();
  const meetingTitle = useSnapshot(call, (snapshot) => snapshot.title);
  const title = meetingTitle === "" ? t`Meeting` : meetingTitle;
  const count = useSnapshot(call, ({ others }) => others.length + 1);
  const knocks = useSnapshot(call, ({ group }) => group.knocks.length);
  // A mark in front of the title is seen from another tab, and makes no sound.
  const place = `(${count}) ${title} – Conclave`;
  useDocumentTitle(knocks > 0 ? `● ${t`Asking to come in (${knocks})`} – ${place}` : place);
  useAnnounced(call);
  // On a phone the panel lies over everything else, which is then out of reach.
  const isCovered = useNarrow() && side !== undefined;
  return (
    <div className={c("call")}>
      <header className={c("top")} inert={isCovered}>
        <LogoMark size={26} />
        <h1 className={c("title")} title={title}>
          {title}
        </h1>
        <LockMark call={call} />
        {props.shield}
      </header>
      <main className={c("main")} inert={isCovered}>
        <Toasts call={call} />
        {props.lobby}
        <div className={c("corner")}>{corner}</div>
        <div className={c("body")}>
          <div className={c("banners")}>
            <ReconnectBanner call={call} />
            <CatchingUpBanner call={call} />
            {interruption === undefined ? <SharingBanner call={call} /> : null}
          </div>
          {interruption ?? (
            <Stage
              call={call}
              layout={layout}
              page={page}
              onPage={onPage}
              onPin={onPin}
              signsOf={signsOf}
              whenAlone={<Alone invite={invite} />}
            />
          )}
        </div>
      </main>
      {side === undefined ? null : <aside className={c("side")}>{side}</aside>}
      <div className={c("bar")} inert={isCovered}>
        <ControlBar {...props} />
      </div>
    </div>
  );
}

/** In sight while nobody can come in. */
function LockMark({ call }: { readonly call: CallCommands }): JSX.Element | null {
  const { t } = useLingui();
  const isLocked = useSnapshot(call, ({ group }) => group.locked);
  const narrow = useNarrow();
  if (!isLocked) return null;
  return (
    <span className={c("locked")}>
      <Lock size={16} aria-hidden />
      {narrow ? <VisuallyHidden>{t`Locked`}</VisuallyHidden> : t`Locked`}
    </span>
  );
}

function ReconnectBanner({ call }: { readonly call: CallCommands }): JSX.Element | null {
  const isReconnecting = useSnapshot(call, ({ phase }) => phase.kind === "reconnecting");
  if (!isReconnecting) return null;
  return (
    <div className={c("banner", "reconnecting")}>
      <RefreshCw className={c("turning")} size={20} aria-hidden />
      <span className={c("bannerText")}>
        <Trans>The connection is interrupted. It will be restored by itself.</Trans>
      </span>
    </div>
  );
}

function CatchingUpBanner({ call }: { readonly call: CallCommands }): JSX.Element | null {
  const isBehind = useSnapshot(call, ({ group }) => group.state === "catchingUp");
  if (!isBehind) return null;
  return (
    <div className={c("banner", "reconnecting")}>
      <RefreshCw className={c("turning")} size={20} aria-hidden />
      <span className={c("bannerText")}>
        <Trans>
          Your device is fetching a change of the meeting. Sound and picture may pause for a moment.
        </Trans>
      </span>
    </div>
  );
}

function SharingBanner({ call }: { readonly call: CallCommands }): JSX.Element | null {
  const { t } = useLingui();
  const screen = useSnapshot(call, ({ self }) => self.screen);
  if (screen.kind !== "on") return null;
  return (
    <div className={c("banner", "sharing")}>
      <article
        className={c("ownScreen")}
        aria-label={t`Your own screen`}
        data-testid="tile"
        data-participant="self"
        data-kind="screen"
        data-state="live"
      >
        <Picture
          stream={screen.stream}
          className={c("ownPicture")}
          label={t`What the others see of your screen`}
        />
      </article>
      <span className={c("bannerText")}>
        {screen.withAudio ? (
          <Trans>Everyone sees your screen and hears its sound.</Trans>
        ) : (
          <Trans>Everyone sees your screen.</Trans>
        )}
      </span>
      <Button variant="danger" onPress={() => call.stopScreen()}>
        <Trans>Stop sharing</Trans>
      </Button>
    </div>
  );
}

function Alone({ invite }: { readonly invite: ReactNode }): JSX.Element {
  return (
    <div className={c("alone")}>
      <div className={c("aloneCard")}>
        <h2 className={c("aloneTitle")}>
          <Trans>You’re the only one here</Trans>
        </h2>
        <p className={c("quiet")}>
          <Trans>Send this link to those you want to meet.</Trans>
        </p>
        {invite}
      </div>
    </div>
  );
}

/** Says what changed without a notice: the microphone, the connection, and the group. */
function useAnnounced(call: CallCommands): void {
  const { t } = useLingui();
  const announce = useAnnounce();
  const microphone = useSnapshot(call, ({ self }) => self.microphone.state.kind);
  const phase = useSnapshot(call, (snapshot) => snapshot.phase.kind);
  const locked = useSnapshot(call, ({ group }) => group.locked);
  const level = useSnapshot(call, ({ group }) => group.shield.level);
  const state = useSnapshot(call, ({ group }) => group.state);
  const before = useRef({ microphone, phase, locked, level, state });
  useEffect(() => {
    const { current } = before;
    if (phase !== current.phase && phase === "reconnecting") {
      announce(t`The connection is interrupted. Reconnecting…`);
    }
    if (microphone !== current.microphone) {
      if (microphone === "on") announce(t`Your microphone is on`);
      else if (microphone === "off") announce(t`You are muted`);
    }
    if (locked !== current.locked) {
      announce(locked ? t`The meeting is locked` : t`The meeting is open again`);
    }
    if (level !== current.level && level === "doubtful") announce(t`Protection in doubt`);
    if (state !== current.state && state === "catchingUp") {
      announce(t`Your device is fetching a change of the meeting`);
    }
    before.current = { microphone, phase, locked, level, state };
  }, [announce, microphone, phase, locked, level, state, t]);
}
