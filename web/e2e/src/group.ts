/**
 * What people see and do of the meeting's group: the lobby, the shield, chat, reactions and hands.
 * @module
 */

import type { Person } from "./person.ts";
import { appears } from "./tab.ts";
import { type Patience, until } from "./until.ts";

/** The title of the shield's dialog. */
const SHIELD = "How this call is protected";

/** Waits until the person waits at the door: for somebody to let them in, or for a host. */
export async function waitsAtTheDoor(
  { tab, name }: Person,
  why: "admission" | "host" = "admission",
): Promise<void> {
  await until(`${name} to wait at the door`, () =>
    tab.evaluate(
      (wanted) =>
        document.querySelector<HTMLElement>('[data-testid="at-the-door"]')?.dataset["why"] ===
        wanted,
      why,
    ),
  );
}

/** Comes in through the lobby: presses Join, waits, is let in by `host`. */
export async function comesInThrough(host: Person, guest: Person): Promise<void> {
  await guest.pressJoin();
  await waitsAtTheDoor(guest);
  await letsIn(host, guest.name);
  await guest.isInCall();
}

/** Lets somebody in who knocks. */
export async function letsIn(host: Person, name: string): Promise<void> {
  await host.press("Let in {name}", { name });
}

/** Turns somebody away who knocks. */
export async function turnsAway(host: Person, name: string): Promise<void> {
  await host.press("Turn {name} away", { name });
}

/** Locks the meeting, or unlocks it. */
export async function toggleLock(host: Person): Promise<void> {
  await host.togglePeople();
  await host.tab.click("switch", host.say("Lock the meeting"));
  await host.press("Close");
}

/** Opens the question whether somebody is to be removed. */
export async function wantsToRemove(host: Person, name: string): Promise<void> {
  await host.togglePeople();
  await host.choose("Options for {name}", "Remove from the meeting…", { name });
  await appears(host.tab, "dialog", host.say("Remove {name}?", { name }));
}

/** Removes somebody from the meeting. Returns when that was confirmed. */
export async function removes(host: Person, name: string): Promise<void> {
  await wantsToRemove(host, name);
  await host.press("Remove");
}

/** The level that the shield shows. */
export function shieldLevel({ tab }: Person): Promise<string | undefined> {
  return tab.evaluate(
    () => document.querySelector<HTMLElement>('[data-testid="shield"]')?.dataset["level"],
  );
}

/** Opens the shield's dialog. */
export async function openShield(person: Person): Promise<void> {
  await person.tab.evaluate(() => {
    const shield = document.querySelector<HTMLElement>('[data-testid="shield"]');
    if (shield === null) throw new Error("no shield");
    shield.click();
  });
  await appears(person.tab, "dialog", person.say(SHIELD));
}

/** Closes the shield's dialog. */
export async function closeShield(person: Person): Promise<void> {
  await until(`${person.name} to close the shield's dialog`, async () => {
    if (!(await person.tab.shows("dialog", person.say(SHIELD)))) return true;
    // It hears keys once the focus has come to it.
    await person.tab.press("Escape");
    return false;
  });
}

/** The safety code, read from the shield's dialog, which must be open. */
export function safetyCode({ tab, name }: Person): Promise<string> {
  return until(`the safety code of ${name}`, () =>
    tab.evaluate(() => {
      const digits = [
        ...document.querySelectorAll('[data-testid="safety-code"] [aria-hidden="true"]'),
      ];
      return digits.map((group) => group.textContent).join(" ") || undefined;
    }),
  );
}

/** On a phone, hand and reactions are behind one button. */
export async function raisesHand(person: Person): Promise<void> {
  if (!(await person.tab.shows("button", person.say("Raise your hand")))) {
    await openReactions(person);
  }
  await person.press("Raise your hand");
}

/** Opens the choice of reactions. */
export async function openReactions(person: Person): Promise<void> {
  const onPhone = "Reactions and raised hand";
  const isPhone = await person.tab.shows("button", person.say(onPhone));
  await person.press(isPhone ? onPhone : "Reactions");
  await appears(person.tab, "button", person.say("Applause"));
}

/** Opens the chat. */
export async function openChat(person: Person): Promise<void> {
  await until(`${person.name} to open the chat`, async () => {
    const isOpen = await person.tab.evaluate(
      () => document.querySelector('[data-testid="chat-input"]') !== null,
    );
    if (!isOpen) await person.tab.press("c");
    return isOpen;
  });
}

/** Writes to the chat, which must be open. */
export async function writes(person: Person, text: string): Promise<void> {
  await person.tab.fill(person.say("Message to everyone"), text);
  await person.press("Send");
}

/** The texts in the chat, which must be open, as they can be read. */
export function chatOf({ tab }: Person): Promise<string[]> {
  return tab.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>('[data-testid="chat-message"] p')].map(
      // biome-ignore lint/performance/useDomNodeTextContent: hidden text does not count
      (message) => message.innerText,
    ),
  );
}

/** Waits until a text stands in the chat, which must be open. */
export async function readsInChat(
  person: Person,
  text: string,
  patience?: Patience,
): Promise<void> {
  await until(
    `${person.name} to read "${text}" in the chat`,
    async () => (await chatOf(person)).includes(text),
    patience,
  );
}
