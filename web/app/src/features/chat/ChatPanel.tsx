import type { CallCommands, ChatMessage } from "@conclave/client";
import { Button, classes } from "@conclave/ui";
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { ArrowDown } from "lucide-react";
import {
  type JSX,
  type ReactNode,
  type RefObject,
  useCallback,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import { SidePanel } from "../../layout/SidePanel";
import { useSnapshot } from "../../useSnapshot";
import { ChatEntries } from "./ChatEntries";
import { ChatInput } from "./ChatInput";
import styles from "./ChatPanel.module.css";

const c = classes(styles);

/** This near to the end, in CSS pixels, counts as being there. */
const AT_END_PX = 40;

/** More are drawn on demand: a call may have thousands of messages. */
const PAGE = 300;

export interface ChatPanelProps {
  readonly call: CallCommands;
  /** What was typed and not sent; it outlives the panel. */
  readonly draft: RefObject<string>;
  readonly onClose: () => void;
}

/** What people write to each other in a call. */
export function ChatPanel({ call, draft, onClose }: ChatPanelProps): JSX.Element {
  // Under fingers a keyboard would come up and cover what there is to read.
  const [takesFocus] = useState(() => !matchMedia("(pointer: coarse)").matches);
  return (
    <SidePanel title={<Trans>Chat</Trans>} onClose={onClose} ownFocus={takesFocus}>
      <ChatLog call={call} />
      <ChatInput call={call} draft={draft} takesFocus={takesFocus} />
    </SidePanel>
  );
}

function ChatLog({ call }: { readonly call: CallCommands }): JSX.Element {
  const { t } = useLingui();
  const chat = useSnapshot(call, (snapshot) => snapshot.chat);
  const [most, setMost] = useState(PAGE);
  const shown = useMemo(() => chat.slice(-most), [chat, most]);
  const { log, isAtEnd, below, toEnd } = useFollowing(chat);
  return (
    <div className={c("frame")}>
      <div
        ref={log}
        className={c("log")}
        role="log"
        aria-live="off"
        aria-label={t`Chat`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and keys must reach it.
        tabIndex={0}
      >
        <p className={c("note")}>
          <Trans>Messages from before you came are not shown.</Trans>
        </p>
        {chat.length === 0 ? (
          <p className={c("note")}>
            <Trans>What you write here is for everyone in the call.</Trans>
          </p>
        ) : null}
        {shown.length < chat.length ? (
          <Button variant="quiet" onPress={() => setMost(most + PAGE)}>
            <Trans>Show earlier messages</Trans>
          </Button>
        ) : null}
        <ChatEntries messages={shown} />
      </div>
      {isAtEnd ? null : <ToEnd count={below} onPress={toEnd} />}
    </div>
  );
}

interface ToEndProps {
  /** How many messages came below what is in view. */
  readonly count: number;
  readonly onPress: () => void;
}

function ToEnd({ count, onPress }: ToEndProps): JSX.Element {
  const words: ReactNode =
    count === 0 ? (
      <Trans>Newest messages</Trans>
    ) : (
      <Plural value={count} one="# new message" other="# new messages" />
    );
  return (
    <div className={c("toEnd")}>
      <Button
        variant={count === 0 ? "secondary" : "primary"}
        icon={<ArrowDown size={18} aria-hidden />}
        onPress={onPress}
      >
        {words}
      </Button>
    </div>
  );
}

interface Following {
  readonly log: RefObject<HTMLDivElement | null>;
  readonly isAtEnd: boolean;
  /** How many messages came below what is in view. */
  readonly below: number;
  readonly toEnd: () => void;
}

/** Keeps to the end of the messages for whoever is there, and for who just wrote one. */
function useFollowing(chat: readonly ChatMessage[]): Following {
  const log = useRef<HTMLDivElement>(null);
  const [isAtEnd, setAtEnd] = useState(true);
  const [seen, setSeen] = useState(chat.at(-1)?.id ?? -1);
  const last = chat.at(-1);
  const isFollowing = useRef(true);

  const toEnd = useCallback((): void => {
    const element = log.current;
    if (element !== null) element.scrollTop = element.scrollHeight;
    isFollowing.current = true;
    setAtEnd(true);
    setSeen(last?.id ?? -1);
  }, [last]);

  useLayoutEffect(() => {
    if (isFollowing.current || last?.isOwn === true) toEnd();
  }, [last, toEnd]);

  useEffect(() => {
    const element = log.current;
    if (element === null) return undefined;
    const onScroll = (): void => {
      const { scrollHeight, scrollTop, clientHeight } = element;
      isFollowing.current = scrollHeight - scrollTop - clientHeight <= AT_END_PX;
      setAtEnd(isFollowing.current);
      if (isFollowing.current) setSeen(last?.id ?? -1);
    };
    // A panel that becomes smaller, by a keyboard or a longer draft, stays at the end.
    const sizes = new ResizeObserver(() => {
      if (isFollowing.current) element.scrollTop = element.scrollHeight;
    });
    element.addEventListener("scroll", onScroll, { passive: true });
    sizes.observe(element);
    return () => {
      element.removeEventListener("scroll", onScroll);
      sizes.disconnect();
    };
  }, [last]);

  const below = useMemo(
    () => chat.filter(({ id, isOwn }) => id > seen && !isOwn).length,
    [chat, seen],
  );
  return { log, isAtEnd, below, toEnd };
}
