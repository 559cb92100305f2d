import type { CallCommands, Notice } from "@conclave/client";
import { Button, classes, IconButton, useAnnounce } from "@conclave/ui";
import { Trans, useLingui } from "@lingui/react/macro";
import { Info, TriangleAlert, UserMinus, UserPlus, X } from "lucide-react";
import { type JSX, useEffect, useRef, useState } from "react";
import { useNameOf } from "../../person/names";
import { useSnapshot } from "../../useSnapshot";
import { noticeWords, stayMs, wantsCare } from "./noticeWords";
import styles from "./Toasts.module.css";

const c = classes(styles);

/** More at once would be a wall; what is older makes room. */
const MOST = 3;

/** What happened in the call, in plain words; said as well as shown. */
export function Toasts({ call }: { readonly call: CallCommands }): JSX.Element {
  const { t } = useLingui();
  const notices = useSnapshot(call, (snapshot) => snapshot.notices);
  useSaid(notices);

  useEffect(() => {
    // Coming and going makes room first.
    const surplus = notices.length - MOST;
    if (surplus <= 0) return;
    const byCare = notices.toSorted(
      (a, b) => Number(wantsCare(a.kind)) - Number(wantsCare(b.kind)),
    );
    for (const { id } of byCare.slice(0, surplus)) call.dismiss(id);
  }, [call, notices]);

  return (
    <section className={c("toasts")} aria-label={t`Messages`}>
      {notices.map((notice) => (
        <Toast key={notice.id} call={call} notice={notice} />
      ))}
    </section>
  );
}

/** Says each notice once. */
function useSaid(notices: readonly Notice[]): void {
  const { t } = useLingui();
  const announce = useAnnounce();
  const nameOf = useNameOf();
  const last = useRef(-1);
  useEffect(() => {
    for (const notice of notices) {
      const { id, name } = notice;
      if (id <= last.current) continue;
      last.current = id;
      announce(t(noticeWords(notice, nameOf(name ?? ""))));
    }
  });
}

function Toast({
  call,
  notice,
}: {
  readonly call: CallCommands;
  readonly notice: Notice;
}): JSX.Element {
  const { t } = useLingui();
  const nameOf = useNameOf();
  const [isHeld, setHeld] = useState(false);
  const { id, kind } = notice;
  const stay = stayMs(kind);
  useEffect(() => {
    // Who reads or reaches for it is not hurried.
    if (stay === undefined || isHeld) return undefined;
    const timer = setTimeout(() => call.dismiss(id), stay);
    return () => clearTimeout(timer);
  }, [call, id, stay, isHeld]);

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it only holds the timer while it is under the pointer or has the focus.
    <div
      className={c("toast", wantsCare(kind) && "care")}
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      <NoticeIcon kind={kind} />
      <span className={c("words")}>{t(noticeWords(notice, nameOf(notice.name ?? "")))}</span>
      <Answer call={call} notice={notice} />
      <IconButton label={t`Dismiss`} onPress={() => call.dismiss(id)}>
        <X size={18} aria-hidden />
      </IconButton>
    </div>
  );
}

function NoticeIcon({ kind }: Pick<Notice, "kind">): JSX.Element {
  const Icon =
    kind === "joined"
      ? UserPlus
      : kind === "left"
        ? UserMinus
        : wantsCare(kind)
          ? TriangleAlert
          : Info;
  return <Icon size={20} aria-hidden />;
}

function Answer({
  call,
  notice: { id, kind },
}: {
  readonly call: CallCommands;
  readonly notice: Notice;
}): JSX.Element | null {
  if (kind === "speakingWhileMuted") {
    return (
      <Button
        variant="primary"
        onPress={() => {
          call.setMicrophone(true);
          call.dismiss(id);
        }}
      >
        <Trans>Unmute</Trans>
      </Button>
    );
  }
  if (kind === "askedToMute") {
    return (
      <Button
        variant="primary"
        onPress={() => {
          call.setMicrophone(false);
          call.dismiss(id);
        }}
      >
        <Trans>Mute</Trans>
      </Button>
    );
  }
  if (kind === "audioBlocked") {
    return (
      <Button
        variant="primary"
        onPress={() => {
          call.resumeAudio();
          call.dismiss(id);
        }}
      >
        <Trans>Turn the sound on</Trans>
      </Button>
    );
  }
  return null;
}
