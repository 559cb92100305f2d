import { closeShield, openShield, safetyCode, shieldLevel } from "../src/group.ts";
import { createLobby, createMeeting } from "../src/meeting.ts";
import { Person } from "../src/person.ts";
import { test, Violation } from "../src/runner.ts";
import { until } from "../src/until.ts";

test("the safety code is the same for all, and another one after somebody came", async (stage) => {
  const link = await createMeeting(await stage.server());
  const ada = await Person.enter(stage, "chromium", link, { name: "Ada", colour: "red" });
  const ben = await Person.enter(stage, "firefox", link, { name: "Ben", colour: "blue" });
  await Promise.all([ada.sees("Ben", "blue"), ben.sees("Ada", "red")]);
  await Promise.all([openShield(ada), openShield(ben)]);
  const before = await sameCode(ada, ben);
  if (!/^\d{5}( \d{5}){5}$/.test(before)) throw new Error(`the code is "${before}"`);

  stage.bot(link);
  await until("another code", async () => (await safetyCode(ada)) !== before);
  const after = await sameCode(ada, ben);
  if (after === before) throw new Violation("the code did not change");
  await Promise.all([closeShield(ada), closeShield(ben)]);
});

test("who compared the code in a locked meeting sees it in the shield, until it is unlocked", async (stage) => {
  const links = await createLobby(await stage.server());
  const host = await Person.enter(stage, "chromium", links.host, { name: "Hana", colour: "red" });
  const second = await Person.enter(stage, "chromium", links.host, { name: "Ida", colour: "blue" });
  await host.sees("Ida", "blue");
  const level = await shieldLevel(host);
  if (level !== "unverified") throw new Error(`the shield says "${level}"`);
  await openShield(host);
  await host.press("Lock the meeting");
  await host.press("It is the same");
  await host.reads("You said that the code is the same.");
  await closeShield(host);
  await until("the shield to say so", async () => (await shieldLevel(host)) === "compared");
  // What one compared is not what another did.
  if ((await shieldLevel(second)) === "compared") throw new Violation("Ida compared nothing");
});

/** The code that both show, once it is the same. */
function sameCode(ada: Person, ben: Person): Promise<string> {
  return until("the same code", async () => {
    const [one, other] = await Promise.all([safetyCode(ada), safetyCode(ben)]);
    return one === other ? one : undefined;
  });
}
