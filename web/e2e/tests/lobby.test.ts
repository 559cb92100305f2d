import {
  comesInThrough,
  letsIn,
  removes,
  toggleLock,
  turnsAway,
  waitsAtTheDoor,
} from "../src/group.ts";
import { createLobby } from "../src/meeting.ts";
import { clickIfThere, Person } from "../src/person.ts";
import { test, Violation } from "../src/runner.ts";
import type { Stage } from "../src/stage.ts";
import { type BrowserName, negotiations, visibleText } from "../src/tab.ts";
import { until } from "../src/until.ts";

/** How soon who was removed gets no more media, from the click. */
const CUT_WITHIN_MS = 1000;

/** A host in the call, and a guest who was let in by them. */
async function pair(
  stage: Stage,
  hostBrowser: BrowserName,
  guestBrowser: BrowserName,
): Promise<{ readonly host: Person; readonly guest: Person }> {
  const links = await createLobby(await stage.server());
  const host = await Person.enter(stage, hostBrowser, links.host, { name: "Hana", colour: "red" });
  const guest = await Person.arrive(stage, guestBrowser, links.guest, {
    name: "Gus",
    colour: "blue",
  });
  await comesInThrough(host, guest);
  await seeEachOther(host, guest);
  return { host, guest };
}

async function seeEachOther(host: Person, guest: Person): Promise<void> {
  await Promise.all([host.sees("Gus", "blue"), guest.sees("Hana", "red")]);
}

test("who makes a meeting on the home page lets a guest in who knocks", async (stage) => {
  const server = await stage.server();
  const tab = await stage.open("chromium", {
    label: "Hana",
    colour: "red",
    initScripts: [keepWhatIsCopied],
  });
  await tab.goto(server.url);
  await tab.click("button", "Start a meeting");
  const host = Person.at(tab, "Hana");
  await host.isBeforeCall();
  await host.join();
  const link = await until("the link to be copied", async () => {
    await tab.click("button", "Copy invitation link");
    return tab.evaluate(() => globalThis.copied);
  });
  if (link.split(".").length !== new URL(link).host.split(".").length - 1 + 3) {
    throw new Violation("the link for guests has a part too many");
  }

  const guest = await Person.arrive(stage, "firefox", link, { name: "Gus", colour: "blue" });
  await comesInThrough(host, guest);
  await seeEachOther(host, guest);
  await Promise.all([host.hears(), guest.hears()]);
});

test("who waits at the door learns nothing of those inside", async (stage) => {
  const links = await createLobby(await stage.server(), "Merger with Initech");
  const host = await Person.enter(stage, "chromium", links.host, { name: "Hana", colour: "red" });
  await Person.enter(stage, "chromium", links.host, { name: "Ines", colour: "green" });
  await host.sees("Ines", "green");
  for (const browser of ["chromium", "firefox"] as const) {
    const name = `Gus of ${browser}`;
    const guest = await Person.arrive(stage, browser, links.guest, { name, colour: "blue" });
    await guest.pressJoin();
    await waitsAtTheDoor(guest);
    await until("the host to be asked", () => host.tab.shows("button", `Let in ${name}`));

    const text = await visibleText(guest.tab);
    for (const inside of ["Hana", "Ines"]) {
      if (text.includes(inside)) throw new Violation(`${name} reads the name ${inside}`);
    }
    const received = await guest.tab.evaluate(() =>
      conclaveProbe.traffic
        .filter(({ direction }) => direction === "received")
        .map(({ text }) => JSON.parse(text)),
    );
    for (const message of received) {
      const kind = message.type === "group" ? `group ${message.news.type}` : message.type;
      const isHarmless = ["welcome", "joined", "pong", "group meeting"].includes(kind);
      if (!isHarmless) throw new Violation(`${name} was sent "${kind}" at the door`);
      if (message.type === "joined" && message.joined.admitted !== null) {
        throw new Violation(`${name} was told of those inside`);
      }
    }
    if ((await negotiations(guest.tab)) > 0) throw new Violation(`${name} has media`);
  }
});

test("who is turned away reads so, may ask again, and comes in", async (stage) => {
  const links = await createLobby(await stage.server());
  const host = await Person.enter(stage, "chromium", links.host, { name: "Hana", colour: "red" });
  const guest = await Person.arrive(stage, "firefox", links.guest, { name: "Gus", colour: "blue" });
  await guest.pressJoin();
  await waitsAtTheDoor(guest);
  await turnsAway(host, "Gus");
  await guest.reads("You were not let in");
  await guest.press("Ask again");
  await waitsAtTheDoor(guest);
  await letsIn(host, "Gus");
  await guest.isInCall();
  await seeEachOther(host, guest);
});

test("a locked meeting lets nobody in until it is unlocked", async (stage) => {
  const links = await createLobby(await stage.server());
  const host = await Person.enter(stage, "chromium", links.host, { name: "Hana", colour: "red" });
  await toggleLock(host);
  const guest = await Person.arrive(stage, "chromium", links.guest, {
    name: "Gus",
    colour: "blue",
  });
  await guest.pressJoin();
  await waitsAtTheDoor(guest);
  await host.reads("The meeting is locked, so nobody can be let in.");
  if (await host.tab.shows("button", "Let in Gus")) {
    throw new Violation("a locked meeting offers to let people in");
  }
  await host.press("Unlock");
  await letsIn(host, "Gus");
  await guest.isInCall();
  await seeEachOther(host, guest);
});

for (const [hostBrowser, guestBrowser] of [
  ["chromium", "firefox"],
  ["firefox", "chromium"],
] as const) {
  test(`who a host in ${hostBrowser} removes in ${guestBrowser} is cut off within a second`, async (stage) => {
    const { host, guest } = await pair(stage, hostBrowser, guestBrowser);
    await guest.tab.evaluate(watchTheCut);
    await removes(host, "Gus");
    const removedAt = Date.now();
    await guest.reads("You were removed from the meeting");
    await until("the guest's tile to go", async () => (await host.othersInView()).length === 0);
    const lastAt = await guest.tab.evaluate(() => globalThis.lastMediaAt);
    stage.note(`the last media came ${lastAt - removedAt} ms after the click was done`);
    if (lastAt - removedAt > CUT_WITHIN_MS) {
      throw new Error(`media came for ${lastAt - removedAt} ms after the removal`);
    }
    const sends = await guest.tab.evaluate(() =>
      conclaveProbe.peers.some(({ connectionState }) => connectionState === "connected"),
    );
    if (sends) throw new Violation("who was removed still has a connection for media");
  });
}

test("reloads of a guest, of the host, and of both at once each end in a working call", async (stage) => {
  const { host, guest } = await pair(stage, "chromium", "chromium");

  await guest.tab.reload();
  await comesBackThrough(host, guest);
  await seeEachOther(host, guest);

  await host.tab.reload();
  await host.comesBack();
  await seeEachOther(host, guest);
  await host.countsPeople(2);

  await Promise.all([host.tab.reload(), guest.tab.reload()]);
  await host.comesBack();
  await comesBackThrough(host, guest);
  await seeEachOther(host, guest);
  await host.countsPeople(2);
  await Promise.all([host.hears(), guest.hears()]);
});

/** After a guest's reload: a new device, which the host lets in anew. */
async function comesBackThrough(host: Person, guest: Person): Promise<void> {
  await guest.comesBack(async () => {
    await host.tab.evaluate(clickIfThere, `[aria-label="Let in ${guest.name}"]`);
  });
}

declare global {
  /** What the page wrote to the clipboard last. */
  var copied: string | undefined;
  /** When bytes of media came last, by the clock. */
  var lastMediaAt: number;
}

/** Runs in the page: a browser without a window has no clipboard. */
function keepWhatIsCopied(): void {
  navigator.clipboard.writeText = async (text) => {
    globalThis.copied = text;
  };
}

/** Runs in the page: notes when the last media came in, up to the connection's end. */
function watchTheCut(): void {
  const [peer] = conclaveProbe.peers.filter(
    ({ connectionState }) => connectionState === "connected",
  );
  let bytes = 0;
  globalThis.lastMediaAt = 0;
  const look = async () => {
    const report = await peer?.getStats();
    let now = 0;
    report?.forEach((entry) => {
      if (entry.type === "inbound-rtp") now += entry.bytesReceived ?? 0;
    });
    if (now > bytes) globalThis.lastMediaAt = Date.now();
    bytes = Math.max(bytes, now);
    if (peer?.connectionState === "connected") setTimeout(look, 20);
  };
  void look();
}
