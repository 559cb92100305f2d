import type { MemberRole, Reaction, Said } from "@conclave/wire";

import { cleanChat, cleanName } from "./displayText";
import type { ChatMessage, PersonId, ShownReaction } from "./snapshot";

/** Who says something. */
export interface Speaker {
  readonly id: PersonId;
  readonly name: string;
  readonly role: MemberRole;
}

/** What {@link Talk} stands on. */
export interface TalkHooks {
  nowMs(): number;
  onChange(): void;
}

/** The longest chat message, in bytes of UTF-8. */
export const MAX_CHAT_BYTES = 4096;

/** Older ones make room. */
const MAX_MESSAGES = 500;

/** How long a reaction is shown. */
const REACTION_MS = 5_000;

/** More at a time nobody can see. */
const MAX_REACTIONS = 50;

/** What people say beside the call: chat, raised hands, reactions. Nothing of it is kept. */
export class Talk {
  #chat: readonly ChatMessage[] = [];
  #hands: readonly PersonId[] = [];
  #reactions: readonly ShownReaction[] = [];
  #nextId = 1;
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();

  constructor(private readonly hooks: TalkHooks) {}

  get chat(): readonly ChatMessage[] {
    return this.#chat;
  }

  /** First raised first. */
  get hands(): readonly PersonId[] {
    return this.#hands;
  }

  get reactions(): readonly ShownReaction[] {
    return this.#reactions;
  }

  /** Takes in what another member said. A request to be quiet is not talk. */
  hear({ credential, name, role, say }: Said): void {
    const speaker: Speaker = { id: credential, name: cleanName(name), role };
    switch (say.type) {
      case "chat":
        this.chatted(speaker, say.text, false);
        return;
      case "hand":
        this.hand(speaker.id, say.up);
        return;
      case "reaction":
        this.reacted(speaker, say.reaction);
        return;
      case "askMute":
        return;
      default:
        unreachable(say);
    }
  }

  chatted({ id: from, name, role }: Speaker, text: string, isOwn: boolean): void {
    const shown = cleanChat(text);
    if (shown === "") return;
    const id = this.#id();
    const message = { id, from, name, role, isOwn, text: shown, atMs: this.hooks.nowMs() };
    this.#chat = [...this.#chat, message].slice(-MAX_MESSAGES);
    this.hooks.onChange();
  }

  /** Who raises a hand that is up keeps their place. */
  hand(person: PersonId, up: boolean): void {
    if (up === this.#hands.includes(person)) return;
    this.#hands = up ? [...this.#hands, person] : this.#hands.filter((id) => id !== person);
    this.hooks.onChange();
  }

  reacted({ id: from, name }: Speaker, reaction: Reaction): void {
    const id = this.#id();
    this.#reactions = [...this.#reactions, { id, from, name, reaction }].slice(-MAX_REACTIONS);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#reactions = this.#reactions.filter((shown) => shown.id !== id);
      this.hooks.onChange();
    }, REACTION_MS);
    this.#timers.add(timer);
    this.hooks.onChange();
  }

  /** Who is not there any more has no hand up. */
  keepOnly(present: ReadonlySet<PersonId>): void {
    if (this.#hands.every((id) => present.has(id))) return;
    this.#hands = this.#hands.filter((id) => present.has(id));
    this.hooks.onChange();
  }

  clear(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#chat = [];
    this.#hands = [];
    this.#reactions = [];
  }

  #id(): number {
    const id = this.#nextId;
    this.#nextId += 1;
    return id;
  }
}

/** Whether a text can be said: something, and not too long. */
export function isSayable(text: string): boolean {
  return text !== "" && new TextEncoder().encode(text).length <= MAX_CHAT_BYTES;
}

function unreachable(value: never): never {
  throw new Error(`unhandled: ${JSON.stringify(value)}`);
}
