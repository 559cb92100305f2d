import type { CallCommands, ChatMessage } from "@conclave/client";
import { ControlBadge, ControlToggle, useAnnounce } from "@conclave/ui";
import { plural } from "@lingui/core/macro";
import { useLingui } from "@lingui/react/macro";
import { MessageSquareText } from "lucide-react";
import { type JSX, useEffect, useState } from "react";
import { useNameOf } from "../../person/names";
import { visibleLine } from "../../text/visibleText";
import { useBatches } from "../../useBatches";
import { useSnapshot } from "../../useSnapshot";

/** Messages that come within this time are announced together. */
const ANNOUNCE_MS = 1500;

/** More at once are counted, not read. */
const MOST_READ = 2;

/** Of a longer message only the beginning is read. */
const READ_CHARS = 200;

export interface ChatControlProps {
  readonly call: CallCommands;
  readonly isOpen: boolean;
  readonly onOpen: (open: boolean) => void;
}

/** Opens and closes the chat, counts what is unread, and says what comes. */
export function ChatControl({ call, isOpen, onOpen }: ChatControlProps): JSX.Element {
  const { t } = useLingui();
  const unread = useUnread(call, isOpen);
  useNewsSaid(call, isOpen);
  return (
    <ControlToggle
      label={
        unread === 0
          ? t`Chat`
          : t`Chat, ${plural(unread, { one: "# unread message", other: "# unread messages" })}`
      }
      caption={t`Chat`}
      hint={t`Chat`}
      keys="C"
      isOn={isOpen}
      onChange={onOpen}
      tone={isOpen ? "active" : "neutral"}
      icon={<MessageSquareText size={22} aria-hidden />}
      badge={
        unread === 0 ? undefined : (
          <ControlBadge alert text={unread > 99 ? "99+" : String(unread)} />
        )
      }
    />
  );
}

/** How many messages of others came since the chat was last in view. */
function useUnread(call: CallCommands, isOpen: boolean): number {
  const chat = useSnapshot(call, (snapshot) => snapshot.chat);
  const [seen, setSeen] = useState(-1);
  const last = chat.at(-1)?.id ?? -1;
  useEffect(() => {
    if (isOpen) setSeen(last);
  }, [isOpen, last]);
  return isOpen ? 0 : chat.filter(({ id, isOwn }) => id > seen && !isOwn).length;
}

/** Says what others write: all of it while the chat is open, else that there is something. */
function useNewsSaid(call: CallCommands, isOpen: boolean): void {
  const { t } = useLingui();
  const announce = useAnnounce();
  const nameOf = useNameOf();
  const chat = useSnapshot(call, (snapshot) => snapshot.chat);
  useBatches(chat, ANNOUNCE_MS, (all: readonly ChatMessage[]) => {
    const news = all.filter(({ isOwn }) => !isOwn);
    const count = news.length;
    if (count > MOST_READ) {
      announce(t`${plural(count, { one: "# new message", other: "# new messages" })}`);
      return;
    }
    for (const { name: given, text } of news) {
      const name = nameOf(given);
      const words = visibleLine(text).slice(0, READ_CHARS);
      announce(isOpen ? t`${name} writes: ${words}` : t`New message from ${name}`);
    }
  });
}
