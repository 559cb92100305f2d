import {
  closeShield,
  comesInThrough,
  openChat,
  openShield,
  readsInChat,
  safetyCode,
  writes,
} from "../src/group.ts";
import { createLobby, createMeeting } from "../src/meeting.ts";
import { Person } from "../src/person.ts";
import { test } from "../src/runner.ts";
import { pause } from "../src/until.ts";

/** From the server being up again to media at everybody. */
const BACK_WITHIN_MS = 5000;

test("after the server is killed and restarted, all are back with media in five seconds", async (stage) => {
  const server = await stage.ownServer();
  const link = await createMeeting(server);
  const ada = await Person.enter(stage, "chromium", link, { name: "Ada", colour: "red" });
  const ben = await Person.enter(stage, "firefox", link, { name: "Ben", colour: "blue" });
  const bot = stage.bot(link);
  await Promise.all([ada.hasMediaOf(2), ben.hasMediaOf(2), bot.receives()]);
  await Promise.all([ada.sees("Ben", "blue"), ben.sees("Ada", "red")]);

  await server.kill();
  await Promise.all([ada.isToldOfReconnecting(), ben.isToldOfReconnecting()]);
  await server.restart();
  const up = performance.now();
  const took: Record<string, number> = {};
  const back = async (who: string, media: Promise<void>) => {
    await media;
    took[who] = Math.round(performance.now() - up);
  };
  await Promise.all([
    back("Chromium", ada.hasMediaOf(2)),
    back("Firefox", ben.hasMediaOf(2)),
    back("bot", bot.receives()),
  ]);
  const words = Object.entries(took).map(([who, ms]) => `${who} ${ms} ms`);
  stage.note(`back with media after ${words.join(", ")}`);
  await Promise.all([ada.sees("Ben", "blue"), ben.sees("Ada", "red"), ada.hears(), ben.hears()]);
  const slowest = Math.max(...Object.values(took));
  if (slowest > BACK_WITHIN_MS) throw new Error(`the last was back after ${slowest} ms`);
});

test("a restarted server goes on with the meeting's group: nobody has to be let in again", async (stage) => {
  const server = await stage.ownServer();
  const links = await createLobby(server);
  const host = await Person.enter(stage, "chromium", links.host, { name: "Hana", colour: "red" });
  const guest = await Person.arrive(stage, "firefox", links.guest, { name: "Gus", colour: "blue" });
  await comesInThrough(host, guest);
  await Promise.all([host.sees("Gus", "blue"), guest.sees("Hana", "red")]);
  await openShield(host);
  const before = await safetyCode(host);
  await closeShield(host);

  await server.kill();
  await Promise.all([host.isToldOfReconnecting(), guest.isToldOfReconnecting()]);
  await server.restart();
  await Promise.all([host.hasMediaOf(1), guest.hasMediaOf(1)]);
  for (const person of [host, guest]) {
    await openShield(person);
    const after = await safetyCode(person);
    if (after !== before) throw new Error(`${person.name} came in anew: the code has changed`);
    await closeShield(person);
  }
  await Promise.all([openChat(host), openChat(guest)]);
  await writes(guest, "still here");
  await readsInChat(host, "still here");

  // The door is where it was: the next one has to knock.
  const late = await Person.arrive(stage, "chromium", links.guest, {
    name: "Lea",
    colour: "green",
  });
  await comesInThrough(host, late);
  await host.sees("Lea", "green");
});

test(
  "a network that fails and comes back is told to the person, and media returns by itself",
  async (stage) => {
    const { server, network } = await stage.serverBehindNetwork();
    const link = await createMeeting(server);
    const ada = await Person.enter(stage, "chromium", link, { name: "Ada", colour: "red" });
    const ben = await Person.enter(stage, "firefox", link, { name: "Ben", colour: "blue" });
    await Promise.all([ada.sees("Ben", "blue"), ben.sees("Ada", "red")]);

    network.cut();
    await Promise.all([ada.isToldOfReconnecting(), ben.isToldOfReconnecting()]);
    await pause(4000);
    network.mend();
    await Promise.all([ada.hasMediaOf(1), ben.hasMediaOf(1)]);
    await Promise.all([ada.isInCall(), ben.isInCall()]);
    await Promise.all([ada.sees("Ben", "blue"), ben.sees("Ada", "red"), ada.hears(), ben.hears()]);
  },
  { skip: ({ network }) => (typeof network === "string" ? network : undefined) },
);

test("a server that stands still for eight seconds is waited for", async (stage) => {
  const server = await stage.ownServer();
  const link = await createMeeting(server);
  const ada = await Person.enter(stage, "chromium", link, { name: "Ada", colour: "red" });
  const ben = await Person.enter(stage, "chromium", link, { name: "Ben", colour: "blue" });
  await Promise.all([ada.sees("Ben", "blue"), ben.sees("Ada", "red")]);

  server.freeze();
  await pause(8000);
  server.thaw();
  await Promise.all([ada.hasMediaOf(1), ben.hasMediaOf(1)]);
  await Promise.all([ada.sees("Ben", "blue"), ben.sees("Ada", "red")]);
});
