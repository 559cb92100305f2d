import type { CallCommands, Notice } from "@conclave/client";
import { Button, classes, IconButton, useAnnounce } from "@conclave/ui";
import { Trans, useLingui } from "@lingui/react/macro";
import { Info, TriangleAlert, UserMinus, UserPlus, X } from "lucide-react";
import { type JSX, useEffect, useRef, useState } from "react";
import { useNameOf } from "../../person/names";
import { useSnapshot } from "../../useSnapshot";
import { isCrowd, noticeWords, stayMs, wantsCare } from "./noticeWords";
import styles from "./Toasts.module.css";

const c = classes(styles);

/** More at once would be a wall; what is older makes room. */
const MOST = 3;

/** What happened in the call, in plain words; said as well as shown. */
export function Toasts({ call }: { readonly call: CallCommands }): JSX.Element {
  const { t } = useLingui();
  const notices = useSnapshot(call, (snapshot) => snapshot.notices);
  useSaid(notices);
  const shown = gathered(notices);

  useEffect(() => {
    const surplus = shown.length - MOST;
    if (surplus <= 0) return;
    // Coming and going makes room first.
    const byCare = shown.toSorted((a, b) => Number(wantsCare(a.kind)) - Number(wantsCare(b.kind)));
    for (const { ids } of byCare.slice(0, surplus)) dismissAll(call, ids);
  });

  return (
    <section className={c("toasts")} aria-label={t`Messages`}>
      {shown.map((gathering) => (
        <Toast key={gathering.ids[0]} call={call} gathering={gathering} />
      ))}
    </section>
  );
}

/** Notices that are shown as one: the newest, and of those who came or went with it, how many. */
interface Gathering extends Notice {
  /** Of all of them, the oldest first. */
  readonly ids: readonly number[];
}

/** Those who come at the same time are told together, and so are those who go. */
function gathered(notices: readonly Notice[]): readonly Gathering[] {
  const shown: Gathering[] = [];
  for (const notice of notices) {
    const { id, kind } = notice;
    const at = isCrowd(kind) ? shown.findIndex((other) => other.kind === kind) : -1;
    const [before] = at < 0 ? [] : shown.splice(at, 1);
    shown.push({ ...notice, ids: [...(before?.ids ?? []), id] });
  }
  return shown;
}

function dismissAll(call: CallCommands, ids: readonly number[]): void {
  for (const id of ids) call.dismiss(id);
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
  gathering,
}: {
  readonly call: CallCommands;
  readonly gathering: Gathering;
}): JSX.Element {
  const { t } = useLingui();
  const nameOf = useNameOf();
  const [isHeld, setHeld] = useState(false);
  const { ids, kind, name } = gathering;
  const count = ids.length;
  const stay = stayMs(kind);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the one who came last is to be read for as long as the first.
  useEffect(() => {
    // Who reads or reaches for it is not hurried.
    if (stay === undefined || isHeld) return undefined;
    const timer = setTimeout(() => dismissAll(call, ids), stay);
    return () => clearTimeout(timer);
  }, [call, ids[0], count, stay, isHeld]);

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
      <span className={c("words")}>{t(noticeWords(gathering, nameOf(name ?? ""), count))}</span>
      <Answer call={call} notice={gathering} />
      <IconButton label={t`Dismiss`} onPress={() => dismissAll(call, ids)}>
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
