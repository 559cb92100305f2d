import type { ChatMessage } from "@conclave/client";

/** What one person said in a row. */
export interface ChatGroup {
  /** Of its first message. */
  readonly id: number;
  readonly first: ChatMessage;
  readonly messages: readonly ChatMessage[];
}

/** After a longer pause, name and time are said again. */
const PAUSE_MS = 5 * 60_000;

/** Groups messages by who said them, in order. */
export function chatGroups(messages: readonly ChatMessage[]): readonly ChatGroup[] {
  const groups: (ChatGroup & { readonly messages: ChatMessage[] })[] = [];
  for (const message of messages) {
    const last = groups.at(-1);
    if (last !== undefined && belongsTo(last, message)) last.messages.push(message);
    else groups.push({ id: message.id, first: message, messages: [message] });
  }
  return groups;
}

/** A new role or a new name is shown at once: it says who speaks. */
function belongsTo({ messages, first }: ChatGroup, next: ChatMessage): boolean {
  const before = messages.at(-1) ?? first;
  return (
    next.from === first.from &&
    next.name === first.name &&
    next.role === first.role &&
    next.atMs - before.atMs < PAUSE_MS
  );
}
