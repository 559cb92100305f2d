/**
 * What end-to-end encryption costs in the browser: a call of one Chromium, one Firefox and native
 * participants, with VP8 in simulcast and Opus. The key workers count; what is reported lies
 * between two counts, when all have been opening frames of everybody for a while.
 *
 * `node bench/frames.ts [--seconds 30] [--bots 2]` prints JSON, then a table; it fails above a limit.
 * @module
 */

import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";

import { Bot } from "../src/bot.ts";
import { Chromium } from "../src/chromium.ts";
import { Firefox } from "../src/firefox.ts";
import { createMeeting } from "../src/meeting.ts";
import { Server } from "../src/server.ts";
import { appears, frameCounts, type Tab, type TabOptions } from "../src/tab.ts";
import { threadsOfDescendants } from "../src/threads.ts";
import { pause, until } from "../src/until.ts";
import {
  AIM_MS,
  type BrowserReport,
  between,
  FORCED_AUDIO_BYTES,
  faults,
  LIMIT_AUDIO_BYTES,
  LIMIT_MS,
  rounded,
  table,
} from "./frameCosts.ts";

const TAB: TabOptions = {
  label: "bench",
  probe: { camera: undefined, screen: undefined },
  width: 1280,
  height: 800,
  locale: "en-GB",
  colourScheme: "light",
  initScripts: [],
};

/** What the browsers call the thread of a dedicated worker; Linux cuts names at 15 bytes. */
const WORKER_THREAD = { chromium: "DedicatedWorker", firefox: "DOM Worker" } as const;

async function join(tab: Tab, link: string, name: string): Promise<void> {
  await tab.goto(link);
  await tab.fill("Your name", name);
  await appears(tab, "button", "Join the meeting");
  await tab.click("button", "Join the meeting");
  await appears(tab, "button", "Leave the meeting");
}

/** Waits until frames of every kind have passed in both directions for a while. */
async function isUnderWay(tab: Tab): Promise<void> {
  await until(`frames to flow in ${tab.browser}`, async () => {
    const { sealing, opening } = await frameCounts(tab);
    const kinds = [sealing.audio, sealing.video, opening.audio, opening.video];
    return kinds.every(({ frames }) => frames >= 200);
  });
}

/** The smallest step of the page's clock, which is its worker's too. */
function clockStepMs(tab: Tab): Promise<number> {
  return tab.evaluate(() => {
    let smallest = Number.POSITIVE_INFINITY;
    for (let steps = 0, last = performance.now(); steps < 50; ) {
      const now = performance.now();
      if (now === last) continue;
      smallest = Math.min(smallest, now - last);
      last = now;
      steps += 1;
    }
    return Math.round(smallest * 1000) / 1000;
  });
}

async function measure(tabs: readonly Tab[], seconds: number): Promise<Map<Tab, BrowserReport>> {
  const began = performance.now();
  const [threadsBefore, countsBefore] = [threadsOfDescendants(), await countsOf(tabs)];
  await pause(seconds * 1000);
  const [threads, counts] = [threadsOfDescendants(), await countsOf(tabs)];
  const wallMs = performance.now() - began;
  const steps = await Promise.all(tabs.map(clockStepMs));

  const reports = new Map<Tab, BrowserReport>();
  for (const [index, tab] of tabs.entries()) {
    const [before, after, step] = [countsBefore[index], counts[index], steps[index]];
    if (!before || !after || step === undefined) throw new Error("no counts");
    const { ms, ...found } = between(before, after, step);
    // The browser has workers of its own; the key worker is the one that works.
    const used = [...threads]
      .filter(([, { name }]) => name.startsWith(WORKER_THREAD[tab.browser]))
      .map(([id, thread]) => thread.ms - (threadsBefore.get(id)?.ms ?? 0));
    const threadMs = Math.max(0, ...used);
    const frames = after.sealed + after.opened - before.sealed - before.opened;
    reports.set(tab, {
      ...found,
      transformShare: rounded(ms / wallMs),
      runningShare: rounded(Math.min(1, threadMs / ms)),
      threadShare: rounded(threadMs / wallMs),
      threadMsPerFrame: rounded(threadMs / frames),
      clockStepMs: step,
    });
  }
  return reports;
}

function countsOf(tabs: readonly Tab[]) {
  return Promise.all(tabs.map(frameCounts));
}

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "30" },
    bots: { type: "string", default: "2" },
  },
});
const [seconds, botCount] = [Number(values.seconds), Number(values.bots)];

/** What is open, the newest first. */
const open: { close(): Promise<void> }[] = [];
function closeLater<T extends { close(): Promise<void> }>(opened: T): T {
  open.unshift(opened);
  return opened;
}

const reports: Record<string, BrowserReport> = {};
try {
  const server = closeLater(await Server.start());
  const chromium = closeLater(await Chromium.launch());
  // Chromium's clock makes steps of 0.1 ms, at random within them, so that means are right; those of
  // Firefox would be of a millisecond.
  const firefox = closeLater(
    await Firefox.launch({
      "privacy.reduceTimerPrecision": false,
      "privacy.reduceTimerPrecision.unconditional": false,
    }),
  );
  const link = await createMeeting(server);
  const tabs: readonly Tab[] = [await chromium.open(TAB), await firefox.open(TAB)];
  await Promise.all(tabs.map((tab, index) => join(tab, link, ["Ada", "Ben"][index] ?? "")));
  await closeLater(new Bot(link, { count: botCount })).isIn();
  await Promise.all(tabs.map(isUnderWay));
  for (const [tab, report] of await measure(tabs, seconds)) reports[tab.browser] = report;
} finally {
  for (const opened of open) await opened.close();
}

const broken = Object.entries(reports).flatMap(([browser, report]) => faults(browser, report));
const limits = {
  meanMs: LIMIT_MS,
  aimMs: AIM_MS,
  audioBytes: LIMIT_AUDIO_BYTES,
  forcedAudioBytes: FORCED_AUDIO_BYTES,
};
const say = (line: string) => process.stdout.write(`${line}\n`);
const machine = { cores: cpus().length, load: rounded(loadavg()[0] ?? 0) };
say(JSON.stringify({ seconds, bots: botCount, machine, limits, reports, broken }));
say(table(reports));
for (const [browser, found] of Object.entries(reports)) {
  const { transformShare, threadShare, threadMsPerFrame, clockStepMs } = found;
  const [transforms, thread] = [transformShare, threadShare].map((share) =>
    (100 * share).toFixed(1),
  );
  say(
    `${browser}: ${transforms} % of the time in transforms; the key worker's whole thread used ` +
      `${thread} % of a core, ${threadMsPerFrame} ms a frame (its clock makes steps of ` +
      `${clockStepMs} ms)`,
  );
}
say(`${machine.cores} cores, load ${machine.load}`);
for (const fault of broken) say(`ABOVE THE LIMIT: ${fault}`);
process.exit(broken.length === 0 ? 0 : 1);
