/**
 * What people of the demo write, and how they show themselves.
 * @module
 */

import type { ChatMessage, PersonId, ShownReaction } from "@conclave/client";
import type { MemberRole, Reaction } from "@conclave/wire";
import { SELF } from "./demoGroup";

/** How long a reaction is shown, in ms. */
export const REACTION_MS = 5000;

/** Who speaks in the demo. */
interface Speaker {
  readonly id: PersonId;
  readonly name: string;
  readonly role: MemberRole;
}

/** Index of who writes (0 is this person), minutes before now, text. */
const LINES: readonly (readonly [who: number, minutesAgo: number, text: string])[] = [
  [1, 14, "Morning! The agenda is at https://harbour.example/renewal/agenda?week=47"],
  [1, 14, "Item 3 moves to the end."],
  [2, 12, "收到，謝謝。港務局的新圖在 https://中文.tw/圖 ，請大家先看第二頁。"],
  [
    0,
    11,
    "Thanks. I have read the report, two questions on the quay wall:\n1. Who signs the survey?\n2. Does phase two start before March?",
  ],
  [3, 9, "1: we do, by Friday. 2: no."],
  [
    3,
    9,
    "The bank writes from https://www.bank.example@pay.evil.example/login and from https://аррӏе.com/pay, please do not click. Nor on \\\\fileserver\\share\\invoice.exe",
  ],
  [4, 5, "سأرسل الملف اليوم، انظر https://example.org/a/b"],
  [1, 2, "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!͖̬̰̙̗̿̋ͥͥ̂ͣ̐́́͜͞"],
  [0, 1, "Good. Let us decide on the cranes today 👍"],
];

/** A chat that has gone on for a while. */
export function chatOf(self: Omit<Speaker, "id">, others: readonly Speaker[]): ChatMessage[] {
  const nowMs = Date.now();
  return LINES.flatMap(([who, minutesAgo, text], id): ChatMessage[] => {
    const from = who === 0 ? { id: SELF, ...self } : others[who - 1];
    if (from === undefined) return [];
    const { name, role } = from;
    const atMs = nowMs - minutesAgo * 60_000;
    return [{ id, from: from.id, name, role, isOwn: who === 0, text, atMs }];
  });
}

const KINDS: readonly Reaction[] = ["clap", "heart", "laugh", "surprise", "thumbUp", "thumbDown"];

/** As many reactions as are wanted, of one person after the other. */
export function reactionsOf(count: number, others: readonly Speaker[]): ShownReaction[] {
  return Array.from({ length: count }, (_, id) => id).flatMap((id) => {
    const from = others[id % others.length];
    const reaction = KINDS[id % KINDS.length];
    if (from === undefined || reaction === undefined) return [];
    return [{ id, from: from.id, name: from.name, reaction }];
  });
}
