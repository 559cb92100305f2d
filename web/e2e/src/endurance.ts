/**
 * Whether joins and leaves disturb those who stay: two people talk over a bad network while others
 * come to their meeting and leave it every few seconds. Before and after, they talk in peace: that
 * is the control, in the same call, over the same network, on the same machine.
 * @module
 */

import { Couple, type CoupleFindings, type Pair } from "./couple.ts";
import type { Roughness } from "./roughLink.ts";
import { Violation } from "./runner.ts";
import type { Stage } from "./stage.ts";
import { tallyInWords } from "./tally.ts";

/** A line that is worse than most: it loses 2 % of all packets, whatever they carry. */
export const ROUGH: Roughness = { loss: 0.02, delayMs: 20, jitterMs: 20 };

/** The longest that a visit may take on average: people come and leave every few seconds. */
const SLOWEST_VISIT_S = 10;

/** All browsers with all others, in the order in which they come; and those that can, with VP9. */
export const COUPLES: readonly Pair[] = [
  { browsers: ["chromium", "chromium"], cameraCodec: "vp8" },
  { browsers: ["chromium", "firefox"], cameraCodec: "vp8" },
  { browsers: ["firefox", "chromium"], cameraCodec: "vp8" },
  { browsers: ["firefox", "firefox"], cameraCodec: "vp8" },
  { browsers: ["chromium", "chromium"], cameraCodec: "vp9" },
];

/** How it was. */
export interface Findings extends CoupleFindings {
  readonly roughness: Roughness;
  /** The share of packets that was lost. */
  readonly lost: number;
}

/** For how long others come and go, and for how long they do not: half of that before, half after. */
export interface Spans {
  readonly disturbedSeconds: number;
  readonly peacefulSeconds: number;
}

/** Lets two people talk. */
export async function endure(
  stage: Stage,
  pair: Pair,
  { disturbedSeconds, peacefulSeconds }: Spans,
): Promise<Findings> {
  const { cameraCodec } = pair;
  const { server, network } = await stage.serverBehindNetwork({ cameraCodec });
  const couple = await Couple.meet(stage, server, pair);
  await couple.warmUp();
  const before = network.carried;
  const halfOfPeaceMs = peacefulSeconds * 500;
  await couple.isLeftInPeace(halfOfPeaceMs);
  await couple.isVisited(stage, disturbedSeconds * 1000);
  await couple.isLeftInPeace(halfOfPeaceMs);
  const after = network.carried;
  const taken = (after?.taken ?? 0) - (before?.taken ?? 0);
  const lost = (after?.lost ?? 0) - (before?.lost ?? 0);
  const found = await couple.findings();
  return { ...found, roughness: ROUGH, lost: Number((lost / taken).toFixed(4)) };
}

/** In words, a line for each thing found. */
export function inWords(findings: Findings): string[] {
  const { roughness, lost, disturbed, inPeace, dropped, freezes } = findings;
  const { delayMs, jitterMs } = roughness;
  const percent = (100 * lost).toFixed(2);
  return [
    `${percent} % of packets lost, the others ${delayMs} to ${delayMs + jitterMs} ms late each way`,
    `disturbed: ${tallyInWords(disturbed)}`,
    `in peace: ${tallyInWords(inPeace)}`,
    ...freezes.map(
      ({ name, pageMs, ms }) => `${name}'s picture stood still for ${ms} ms at ${pageMs} ms`,
    ),
    `not opened: of each other ${JSON.stringify(dropped.ofStayers)}, of visitors ${JSON.stringify(dropped.ofVisitors)}`,
  ];
}

/**
 * Frames of one another that the two may fail to open: a frame that comes twice, as
 * retransmission may have it, is opened once.
 */
const LAWFUL_OF_STAYERS: ReadonlySet<string> = new Set(["replayed"]);

/**
 * Frames of those who come and leave that others may fail to open. The first ones may be quicker
 * than the news of their sender or slot; the last ones come when the sender or the slot is gone.
 */
const LAWFUL_OF_VISITORS: ReadonlySet<string> = new Set([
  "earlier",
  "noSlot",
  "pastEpoch",
  "replayed",
  "revoked",
  "unknownEpoch",
  "wrongLeaf",
]);

/** Fails if those who stayed were disturbed, or if nobody tried to. */
export function check(findings: Findings): void {
  const { lost, roughness, disturbed, inPeace, dropped, notSealed } = findings;
  if (Math.abs(lost - roughness.loss) > roughness.loss / 4) {
    throw new Error(`the network lost ${lost} of the packets instead of ${roughness.loss}`);
  }
  if (disturbed.visits < disturbed.seconds / SLOWEST_VISIT_S) {
    throw new Error(`only ${disturbed.visits} visits in ${disturbed.seconds} s`);
  }
  if (Object.keys(notSealed).length > 0) {
    throw new Error(`frames that were not sealed: ${JSON.stringify(notSealed)}`);
  }
  checkDrops("of each other", dropped.ofStayers, LAWFUL_OF_STAYERS);
  checkDrops("of visitors", dropped.ofVisitors, LAWFUL_OF_VISITORS);
  const asLong = disturbed.seconds / inPeace.seconds;
  if (disturbed.freezes > mostFreezes(inPeace.freezes * asLong)) {
    throw new Error(`${disturbed.freezes} freezes with joins, ${inPeace.freezes} without`);
  }
}

/**
 * How many freezes there may be with joins, if there were so many without in as long: what the
 * control itself may have more of if it is done again. Lost packets freeze pictures at random, so
 * such a count has the standard deviation of its expected value's root. That value is taken to be one more than what
 * was counted, since none may be counted where some are expected; two deviations are allowed.
 */
export function mostFreezes(inPeace: number): number {
  return Math.floor(inPeace + 2 * Math.sqrt(inPeace + 1));
}

function checkDrops(
  whose: string,
  dropped: Readonly<Record<string, number>>,
  lawful: ReadonlySet<string>,
): void {
  const unlawful = Object.entries(dropped).filter(([why]) => !lawful.has(why));
  if (unlawful.length === 0) return;
  const text = `frames ${whose} that did not open: ${JSON.stringify(Object.fromEntries(unlawful))}`;
  if (unlawful.some(([why]) => why === "forged")) throw new Violation(text);
  throw new Error(text);
}
