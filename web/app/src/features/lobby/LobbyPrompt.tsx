import type { CallCommands } from "@conclave/client";
import { Button, classes, IconButton, useAnnounce } from "@conclave/ui";
import type { KnockView } from "@conclave/wire";
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { Bell, LockOpen, X } from "lucide-react";
import { type JSX, useEffect, useRef, useState } from "react";
import { useNameOf } from "../../person/names";
import { mayOrder } from "../../person/rights";
import { useSnapshot } from "../../useSnapshot";
import { KnockList } from "./KnockList";
import styles from "./LobbyPrompt.module.css";

const c = classes(styles);

/** More at once would hide the call; the panel has them all. */
const MOST = 2;

export interface LobbyPromptProps {
  readonly call: CallCommands;
  /** Whether all of them are in sight elsewhere. */
  readonly isPanelOpen: boolean;
  readonly onShowAll: () => void;
}

/**
 * Who asks to come in, over a corner of the stage: it takes no focus and no sound, is said once,
 * and can be put away until the next one knocks.
 */
export function LobbyPrompt({
  call,
  isPanelOpen,
  onShowAll,
}: LobbyPromptProps): JSX.Element | null {
  const { t } = useLingui();
  const knocks = useSnapshot(call, ({ group }) => group.knocks);
  const isLocked = useSnapshot(call, ({ group }) => group.locked);
  const [seen, setSeen] = useState<ReadonlySet<number>>(new Set());
  const prompt = useRef<HTMLElement>(null);
  useSaid(knocks);
  useFocusKept(prompt, knocks);

  const isNews = knocks.some(({ knocker }) => !seen.has(knocker));
  if (!isNews || isPanelOpen) return null;
  const more = knocks.length - MOST;
  return (
    <section
      className={c("prompt")}
      aria-label={t`Asking to come in`}
      ref={prompt}
      tabIndex={-1}
      data-testid="lobby-prompt"
    >
      <div className={c("head")}>
        <Bell className={c("bell")} size={18} aria-hidden />
        <h2 className={c("title")}>
          <Trans>Asking to come in</Trans>
        </h2>
        <IconButton
          label={t`Later`}
          onPress={() => setSeen(new Set(knocks.map(({ knocker }) => knocker)))}
        >
          <X size={18} aria-hidden />
        </IconButton>
      </div>
      {isLocked ? (
        <Locked call={call} />
      ) : (
        <KnockList call={call} knocks={knocks.slice(0, MOST)} label={t`Asking to come in`} />
      )}
      {more > 0 || (isLocked && knocks.length > 0) ? (
        <div className={c("foot")}>
          {more > 0 ? (
            <span className={c("more")}>
              <Plural value={more} one="and # more" other="and # more" />
            </span>
          ) : null}
          <Button variant="quiet" onPress={onShowAll}>
            <Trans>Show all</Trans>
          </Button>
        </div>
      ) : null}
    </section>
  );
}

/** Says that a lock keeps out those who ask, and takes it off for who may. */
export function Locked({ call }: { readonly call: CallCommands }): JSX.Element {
  const mayUnlock = useSnapshot(call, ({ self }) => mayOrder(self.role));
  return (
    <div className={c("locked")}>
      <p>
        <Trans>The meeting is locked, so nobody can be let in.</Trans>
      </p>
      {mayUnlock ? (
        <Button icon={<LockOpen size={18} aria-hidden />} onPress={() => call.lock(false)}>
          <Trans>Unlock</Trans>
        </Button>
      ) : null}
    </div>
  );
}

/** Says each knock once. */
function useSaid(knocks: readonly KnockView[]): void {
  const { t } = useLingui();
  const announce = useAnnounce();
  const nameOf = useNameOf();
  const said = useRef<ReadonlySet<number>>(new Set());
  useEffect(() => {
    for (const { knocker, name: given, hostProven, nameShared } of knocks) {
      if (said.current.has(knocker)) continue;
      const name = nameOf(given);
      if (hostProven) announce(t`${name}, proved to be host, asks to come in`);
      else if (nameShared)
        announce(t`Somebody asks to come in under the name ${name}, which another has too`);
      else announce(t`Somebody who says the name ${name} asks to come in`);
    }
    said.current = new Set(knocks.map(({ knocker }) => knocker));
  });
}

/** An answered knock takes its buttons along: the focus stays with the others that wait. */
function useFocusKept(
  prompt: React.RefObject<HTMLElement | null>,
  knocks: readonly KnockView[],
): void {
  const hadFocus = useRef(false);
  // biome-ignore lint/correctness/useExhaustiveDependencies: it runs for each change of the knocks.
  useEffect(() => {
    if (hadFocus.current && document.activeElement === document.body) prompt.current?.focus();
    const element = prompt.current;
    const note = (): void => {
      hadFocus.current = element?.contains(document.activeElement) === true;
    };
    document.addEventListener("focusin", note);
    return () => document.removeEventListener("focusin", note);
  }, [knocks, prompt]);
}
