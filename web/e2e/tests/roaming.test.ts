import { gaps, type SoundGap, soundGaps, watchPictures, watchSound } from "../src/gaps.ts";
import { type MediaPath, mediaPath } from "../src/mediaPath.ts";
import { createMeeting } from "../src/meeting.ts";
import type { Network } from "../src/network.ts";
import { Person } from "../src/person.ts";
import { test } from "../src/runner.ts";
import type { Server } from "../src/server.ts";
import type { Stage } from "../src/stage.ts";
import type { BrowserName } from "../src/tab.ts";
import { until } from "../src/until.ts";

/** The longest that a picture may stand still, or sound be missing. */
const GAP_MS = 1500;

for (const mover of ["chromium", "firefox"] as const) {
  for (const newAddress of [false, true]) {
    const place = newAddress ? "address and port" : "port";
    test(
      `when a NAT suddenly gives ${mover} another ${place}, the call goes on as it was`,
      async (stage) => {
        const { server, network } = await stage.serverBehindNetwork();
        const people = await meet(stage, server, mover);
        const [moved] = people;
        const path = await pathOf(moved);
        if (path.remote !== `udp ${server.host} ${server.udpPort}`) {
          throw new Error(`${moved.name} has ${path.remote}`);
        }
        const before = await Promise.all(people.map(sessionOf));

        const since = Date.now();
        network.rebind(path.localPort, { newAddress });
        await until(`${moved.name} to have a check of the path answered`, async () => {
          const { checks } = await pathOf(moved);
          return checks > path.checks;
        });
        await Promise.all(people.flatMap((person) => [person.hasMediaOf(1), person.hears()]));

        await hasGoneOn(stage, people, since);
        const after = await Promise.all(people.map(sessionOf));
        if (JSON.stringify(after) !== JSON.stringify(before)) {
          throw new Error(`from ${JSON.stringify(before)} to ${JSON.stringify(after)}`);
        }
        // Its own port may read otherwise: a check's answer can tell a browser where it has got to.
        const { remote } = await pathOf(moved);
        if (remote !== path.remote)
          throw new Error(`${moved.name} has taken another way: ${remote}`);
        hasMoved(stage, network);
      },
      {
        skip: ({ network }) =>
          typeof network === "string" ? network : network.obstacleToRebinding,
      },
    );
  }
}

/** Two who see and hear each other; the first one is to be moved. */
async function meet(stage: Stage, server: Server, mover: BrowserName): Promise<[Person, Person]> {
  const link = await createMeeting(server);
  const initScripts = [watchPictures, watchSound];
  const other = mover === "chromium" ? "firefox" : "chromium";
  const ada = await Person.enter(stage, mover, link, { name: "Ada", colour: "red", initScripts });
  const ben = await Person.enter(stage, other, link, { name: "Ben", colour: "blue", initScripts });
  await Promise.all([ada.sees("Ben", "blue"), ben.sees("Ada", "red"), ada.hears(), ben.hears()]);
  return [ada, ben];
}

async function pathOf({ name, tab }: Person): Promise<MediaPath> {
  const path = await mediaPath(tab);
  if (path === undefined) throw new Error(`${name} has no path for media`);
  return path;
}

/** What a person has made so far to be in the call: it grows with each new try. */
function sessionOf({ tab }: Person): Promise<object> {
  return tab.evaluate(() => {
    const { peers, remoteDescriptions, sockets } = conclaveProbe;
    return { peers: peers.length, remoteDescriptions, sockets: sockets.length };
  });
}

/** Each has seen and heard the other all the time since then, but for a moment. */
async function hasGoneOn(stage: Stage, people: readonly Person[], since: number): Promise<void> {
  const found: number[] = [];
  for (const { name, tab } of people) {
    const still = longest(await gaps(tab), since);
    const silent = longest(await soundGaps(tab), since);
    stage.note(
      `${name}, ${tab.browser}: no new picture for ${still} ms, no sound for ${silent} ms`,
    );
    found.push(still, silent);
  }
  if (Math.max(...found) > GAP_MS) throw new Error(`gaps of ${found.join(", ")} ms`);
}

/** The longest of the gaps that were not over by then; 0 if none was worth a note. */
function longest(found: readonly SoundGap[], since: number): number {
  const late = found.filter(({ sinceMs, ms }) => sinceMs + ms > since);
  return Math.max(0, ...late.map(({ ms }) => ms));
}

/** Media came from the new place, and the server had to find that out by itself. */
function hasMoved(stage: Stage, { rebound }: Network): void {
  const words = JSON.stringify(rebound);
  stage.note(`packets: ${words}`);
  const isComplete = Object.values(rebound).every((packets) => packets > 0);
  if (!isComplete) throw new Error(`nobody was moved, or nobody followed: ${words}`);
}
