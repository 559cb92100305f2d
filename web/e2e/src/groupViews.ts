/**
 * A walk through the views of a meeting with a lobby: at the door, asking, deciding, talking, the
 * shield, and being removed.
 * @module
 */

import { EvilServer } from "./evil.ts";
import {
  closeShield,
  letsIn,
  openChat,
  openReactions,
  openShield,
  raisesHand,
  readsInChat,
  turnsAway,
  waitsAtTheDoor,
  wantsToRemove,
  writes,
} from "./group.ts";
import { createLobby, createMeeting } from "./meeting.ts";
import { Person, type Say } from "./person.ts";
import type { OpenOptions, Stage } from "./stage.ts";
import { appears, disappears } from "./tab.ts";
import { until } from "./until.ts";
import type { Visit } from "./views.ts";

/** Shows each of these views in turn; what people write is of no language. */
export async function walkGroupViews(
  stage: Stage,
  options: OpenOptions,
  say: Say,
  visit: Visit,
): Promise<void> {
  const links = await createLobby(await stage.server());
  const arrive = async (link: string, name: string, colour: "blue" | "green") => {
    const tab = await stage.openChromium({ ...options, label: name, colour });
    await tab.goto(link);
    const person = Person.at(tab, name, say);
    await person.isBeforeCall();
    return { person, tab };
  };
  const { person: gus, tab: gusTab } = await arrive(links.guest, "Gus", "green");
  await gus.pressJoin();
  await waitsAtTheDoor(gus, "host");
  await visit("waiting-for-host", gusTab);

  const { person: hana, tab } = await arrive(links.host, "Hana", "blue");
  await hana.join();
  await waitsAtTheDoor(gus);
  await visit("waiting", gusTab);
  await appears(tab, "button", say("Let in {name}", { name: "Gus" }));
  await visit("lobby-prompt", tab);
  await hana.togglePeople();
  await visit("people-lobby", tab);
  await turnsAway(hana, "Gus");
  await gus.reads("You were not let in");
  await visit("denied", gusTab);
  await gus.press("Ask again");
  await letsIn(hana, "Gus");
  await gus.isInCall();
  await hana.press("Options for {name}", { name: "Gus" });
  await appears(tab, "menuitem", say("Remove from the meeting…"));
  await visit("person-menu", tab);
  await tab.press("Escape");
  await disappears(tab, "menuitem", say("Remove from the meeting…"));
  await hana.press("Close");

  await Promise.all([openChat(hana), openChat(gus)]);
  await writes(gus, "4711");
  await readsInChat(hana, "4711");
  await writes(hana, "https://conclave.example/4711");
  await gus.press("Close");
  await raisesHand(gus);
  await until("the hand", () =>
    tab.evaluate(() => document.querySelector('[data-testid="hand"]') !== null),
  );
  await visit("chat", tab);
  await hana.press("Close");
  await openReactions(hana);
  await visit("reactions", tab);
  await hana.press("Applause");

  await openShield(hana);
  await visit("shield", tab);
  await hana.press("Lock the meeting");
  await hana.press("It is different");
  await hana.reads("Somebody sits between you");
  await visit("shield-different", tab);
  await hana.press("Compare once more");
  await hana.press("It is the same");
  await hana.reads("You said that the code is the same. That holds until somebody comes in.");
  await visit("shield-compared", tab);
  await closeShield(hana);

  await wantsToRemove(hana, "Gus");
  await visit("remove", tab);
  await hana.press("Remove");
  await gus.reads("You were removed from the meeting");
  await visit("removed", gusTab);
  await gusTab.close();
  await hana.press("Close");
  await hana.leave();
  await tab.close();
  await visitRefusedNode(stage, options, say, visit);
}

/** What is shown of a media node that is not the meeting's. */
async function visitRefusedNode(
  stage: Stage,
  options: OpenOptions,
  say: Say,
  visit: Visit,
): Promise<void> {
  const link = await createMeeting(await stage.server());
  const tab = await stage.openChromium({ ...options, label: "Ida", colour: "red" });
  const evil = await EvilServer.before(tab);
  evil.toPage = (message) => {
    if (message.type !== "answer") return message;
    const { answer } = message;
    const { signature } = answer.statement;
    const forged = `${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`;
    const statement = { ...answer.statement, signature: forged };
    return { ...message, answer: { ...answer, statement } };
  };
  await tab.goto(link);
  const ida = Person.at(tab, "Ida", say);
  await ida.isBeforeCall();
  await ida.pressJoin();
  await ida.reads("The server that was to carry the call is not one of this meeting’s");
  await visit("refused-node", tab);
  await tab.close();
}
