/**
 * From the click on Join to the first decoded frame of somebody else, beside the floor: two pages
 * of the same browser connected directly. Both carry VP8 from a camera; the direct one only the
 * size of our smallest simulcast layer, so that the floor is as low as it can be.
 *
 * `node bench/join.ts [--runs 20]` prints JSON, then one line in words; it fails above the limit.
 * @module
 */

import { parseArgs } from "node:util";

import { Chromium, type ChromiumTab } from "../src/chromium.ts";
import { type FirstFrame, firstFrame, watchJoin } from "../src/joinTime.ts";
import { createMeeting } from "../src/meeting.ts";
import { Server } from "../src/server.ts";
import { appears, type TabOptions } from "../src/tab.ts";
import { until } from "../src/until.ts";
import { measureFloor, openPair } from "./floor.ts";

/** What the server may add to the floor, in milliseconds. */
const LIMIT_MS = 400;

const TAB: TabOptions = {
  label: "bench",
  probe: { camera: undefined, screen: undefined },
  width: 1000,
  height: 700,
  locale: "en-GB",
  colourScheme: "light",
  initScripts: [watchJoin],
};

/** Opens the view before the call and waits until camera and microphone run. */
async function prepare(browser: Chromium, link: string, name: string): Promise<ChromiumTab> {
  const tab = await browser.open(TAB);
  await tab.goto(link);
  await tab.fill("Your name", name);
  await appears(tab, "button", "Join the meeting");
  await until("the preview", () =>
    tab.evaluate(() => (document.querySelector("video")?.videoWidth ?? 0) > 0),
  );
  return tab;
}

/** Waits until nobody else is in the meeting: who leaves is one commit, and the next run is another. */
async function isAlone(tab: ChromiumTab): Promise<void> {
  await until("the publisher to be alone", () =>
    tab.evaluate(() => document.querySelectorAll("[data-participant]").length === 1),
  );
}

async function measureJoin(
  browser: Chromium,
  link: string,
  publisher: ChromiumTab,
): Promise<FirstFrame> {
  const tab = await prepare(browser, link, "Ben");
  try {
    await tab.click("button", "Join the meeting");
    const first = await firstFrame(tab);
    await tab.click("button", "Leave the meeting");
    await isAlone(publisher);
    return first;
  } finally {
    await tab.close();
  }
}

function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low, high] = [sorted[Math.ceil(sorted.length / 2) - 1] ?? 0, sorted[middle] ?? 0];
  return Math.round((low + high) / 2);
}

const { values } = parseArgs({ options: { runs: { type: "string", default: "20" } } });
const runs = Number(values.runs);

const server = await Server.start();
const browser = await Chromium.launch();
const ours: number[] = [];
const floor: number[] = [];
const widths = new Set<number>();
try {
  const link = await createMeeting(server);
  const publisher = await prepare(browser, link, "Ada");
  await publisher.click("button", "Join the meeting");
  await appears(publisher, "button", "Leave the meeting");
  const pair = await openPair(publisher.page.context(), server.url);
  // The first of each warms caches; it does not count.
  for (let run = 0; run <= runs; run += 1) {
    const [direct, joined] = [
      await measureFloor(pair),
      await measureJoin(browser, link, publisher),
    ];
    if (run === 0) continue;
    floor.push(Math.round(direct));
    ours.push(Math.round(joined.tookMs));
    widths.add(joined.width);
  }
} finally {
  await browser.close();
  await server.close();
}

const difference = median(ours) - median(floor);
const holds = difference <= LIMIT_MS;
const report = { runs, limitMs: LIMIT_MS, oursMs: ours, floorMs: floor, firstWidths: [...widths] };
process.stdout.write(`${JSON.stringify(report)}\n`);
process.stdout.write(
  `join-to-first-frame median ${median(ours)} ms, floor ${median(floor)} ms, ` +
    `difference ${difference} ms (limit ${LIMIT_MS} ms)\n`,
);
process.exit(holds ? 0 : 1);
