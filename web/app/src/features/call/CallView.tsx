import type { CallCommands } from "@conclave/client";
import { Button, classes, DialogTrigger, LogoMark, PopoverCard, useAnnounce } from "@conclave/ui";
import { Trans, useLingui } from "@lingui/react/macro";
import { LockOpen, RefreshCw } from "lucide-react";
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
  /** What people must know of the call's encryption. */
  readonly notice: ReactNode;
}

/** A call: its pictures, its state, its controls. */
export function CallView(props: CallViewProps): JSX.Element {
  const { call, page, onPage, onPin, signsOf, corner, layout, side, invite, notice } = props;
  const { t } = useLingui();
  const meetingTitle = useSnapshot(call, (snapshot) => snapshot.title);
  const title = meetingTitle === "" ? t`Meeting` : meetingTitle;
  const count = useSnapshot(call, ({ others }) => others.length + 1);
  useDocumentTitle(`(${count}) ${title} – Conclave`);
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
        <PlainChip notice={notice} />
      </header>
      <main className={c("main")} inert={isCovered}>
        <Toasts call={call} />
        <div className={c("corner")}>{corner}</div>
        <div className={c("body")}>
          <div className={c("banners")}>
            <ReconnectBanner call={call} />
            <SharingBanner call={call} />
          </div>
          <Stage
            call={call}
            layout={layout}
            page={page}
            onPage={onPage}
            onPin={onPin}
            signsOf={signsOf}
            whenAlone={<Alone invite={invite} />}
          />
        </div>
      </main>
      {side === undefined ? null : <aside className={c("side")}>{side}</aside>}
      <div className={c("bar")} inert={isCovered}>
        <ControlBar {...props} />
      </div>
    </div>
  );
}

/** Says, in sight for the whole call, that the media is not sealed yet. */
function PlainChip({ notice }: { readonly notice: ReactNode }): JSX.Element {
  const { t } = useLingui();
  const narrow = useNarrow();
  const label = t`Not yet end-to-end encrypted`;
  return (
    <DialogTrigger>
      <Button variant="quiet" icon={<LockOpen size={18} aria-hidden />}>
        {narrow ? t`Not end-to-end` : label}
      </Button>
      <PopoverCard label={label} placement="bottom end">
        <div className={c("words")}>
          <p className={c("wordsTitle")}>{label}</p>
          <p>{notice}</p>
        </div>
      </PopoverCard>
    </DialogTrigger>
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
          <Trans>Send this link to those you want to meet. Whoever holds it can come in.</Trans>
        </p>
        {invite}
      </div>
    </div>
  );
}

/** Says what changed without a notice: one's own microphone, and the connection. */
function useAnnounced(call: CallCommands): void {
  const { t } = useLingui();
  const announce = useAnnounce();
  const microphone = useSnapshot(call, ({ self }) => self.microphone.state.kind);
  const phase = useSnapshot(call, (snapshot) => snapshot.phase.kind);
  const before = useRef({ microphone, phase });
  useEffect(() => {
    const { current } = before;
    if (phase !== current.phase && phase === "reconnecting") {
      announce(t`The connection is interrupted. Reconnecting…`);
    }
    if (microphone !== current.microphone) {
      if (microphone === "on") announce(t`Your microphone is on`);
      else if (microphone === "off") announce(t`You are muted`);
    }
    before.current = { microphone, phase };
  }, [announce, microphone, phase, t]);
}
