/**
 * Whether joins and leaves disturb those who stay: two couples talk over a bad network, each in a
 * meeting of its own. In turns, people come to one meeting and leave it every few seconds while the
 * other one, the control, is left in peace. So each couple is measured both ways, and each way has
 * the same network and the same load of the machine beside it.
 * @module
 */

import { type Browsers, Couple, type CoupleFindings } from "./couple.ts";
import type { Roughness } from "./roughLink.ts";
import { Violation } from "./runner.ts";
import type { Stage } from "./stage.ts";
import { sum, type Tally, tallyInWords } from "./tally.ts";

/** A line that is worse than most: it loses 2 % of all packets, whatever they carry. */
export const ROUGH: Roughness = { loss: 0.02, delayMs: 20, jitterMs: 20 };

/** The longest that a visit may take on average: people come and leave every few seconds. */
const SLOWEST_VISIT_S = 10;

/** Two couples that talk at the same time. */
export type Couples = readonly [Browsers, Browsers];

/** All browsers with all others. */
export const COUPLES: readonly Couples[] = [
  [
    ["chromium", "chromium"],
    ["firefox", "firefox"],
  ],
  [
    ["chromium", "firefox"],
    ["firefox", "chromium"],
  ],
];

/** How long it goes on. */
export interface Duration {
  /**
   * A multiple of four: in four turns the first couple is disturbed in the first and the last one, so
   * that a machine that grows busier or calmer favours neither.
   */
  readonly turns: number;
  /** How long one meeting is disturbed before it is the other's turn. */
  readonly turnS: number;
}

/** How it was. */
export interface Findings {
  readonly roughness: Roughness;
  /** The share of packets that was lost. */
  readonly lost: number;
  readonly couples: readonly CoupleFindings[];
  readonly disturbed: Tally;
  readonly inPeace: Tally;
}

/** Lets two couples talk, and disturbs them in turns. */
export async function endure(
  stage: Stage,
  couples: Couples,
  { turns, turnS }: Duration,
): Promise<Findings> {
  const { server, network } = await stage.serverBehindNetwork();
  const [first, second] = [
    await Couple.meet(stage, server, couples[0], ["Ada", "Ben"]),
    await Couple.meet(stage, server, couples[1], ["Cleo", "Dan"]),
  ];
  await Promise.all([first.warmUp(), second.warmUp()]);
  const before = network.carried;
  for (let turn = 0; turn < turns; turn += 1) {
    const until = performance.now() + turnS * 1000;
    const isFirst = turn % 4 === 0 || turn % 4 === 3;
    const [disturbed, control] = isFirst ? [first, second] : [second, first];
    const visits = disturbed.isVisited(stage, until);
    await Promise.all([visits, control.isLeftInPeace(visits)]);
  }
  const after = network.carried;
  const taken = (after?.taken ?? 0) - (before?.taken ?? 0);
  const lost = (after?.lost ?? 0) - (before?.lost ?? 0);
  const found = await Promise.all([first.findings(), second.findings()]);
  return {
    roughness: ROUGH,
    lost: Number((lost / taken).toFixed(4)),
    couples: found,
    disturbed: sum(found.map(({ disturbed }) => disturbed)),
    inPeace: sum(found.map(({ inPeace }) => inPeace)),
  };
}

/** In words, a line for each couple and way. */
export function inWords({ roughness, lost, couples }: Findings): string[] {
  const { delayMs, jitterMs } = roughness;
  const percent = (100 * lost).toFixed(2);
  return [
    `${percent} % of packets lost, the others ${delayMs} to ${delayMs + jitterMs} ms late each way`,
    ...couples.flatMap(({ browsers, disturbed, inPeace, dropped }) => [
      `${browsers.join(" and ")}, disturbed: ${tallyInWords(disturbed)}`,
      `${browsers.join(" and ")}, in peace: ${tallyInWords(inPeace)}`,
      `  not opened: of each other ${JSON.stringify(dropped.ofStayers)}, of visitors ${JSON.stringify(dropped.ofVisitors)}`,
    ]),
  ];
}

/**
 * Frames of one another that the couple may fail to open: a frame that comes twice, as
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
  const { lost, roughness, couples, disturbed, inPeace } = findings;
  if (Math.abs(lost - roughness.loss) > roughness.loss / 4) {
    throw new Error(`the network lost ${lost} of the packets instead of ${roughness.loss}`);
  }
  for (const { browsers, disturbed, dropped, notSealed } of couples) {
    const who = browsers.join(" and ");
    if (disturbed.visits < disturbed.seconds / SLOWEST_VISIT_S) {
      throw new Error(`${who}: only ${disturbed.visits} visits in ${disturbed.seconds} s`);
    }
    if (Object.keys(notSealed).length > 0) {
      throw new Error(`${who} did not seal ${JSON.stringify(notSealed)}`);
    }
    checkDrops(`${who}, of each other`, dropped.ofStayers, LAWFUL_OF_STAYERS);
    checkDrops(`${who}, of visitors`, dropped.ofVisitors, LAWFUL_OF_VISITORS);
  }
  if (disturbed.freezes > mostFreezes(inPeace.freezes)) {
    throw new Error(`${disturbed.freezes} freezes with joins, ${inPeace.freezes} without`);
  }
}

/**
 * How many freezes there may be with joins, if there were so many without: what the control itself
 * may have more of if it is done again. Lost packets freeze pictures at random, so such a count has
 * the standard deviation of its expected value's root. That value is taken to be one more than what
 * was counted, since none may be counted where some are expected; two deviations are allowed.
 */
export function mostFreezes(inPeace: number): number {
  return Math.floor(inPeace + 2 * Math.sqrt(inPeace + 1));
}

function checkDrops(
  what: string,
  dropped: Readonly<Record<string, number>>,
  lawful: ReadonlySet<string>,
): void {
  const unlawful = Object.entries(dropped).filter(([why]) => !lawful.has(why));
  if (unlawful.length === 0) return;
  const text = `${what}, frames that did not open: ${JSON.stringify(Object.fromEntries(unlawful))}`;
  if (unlawful.some(([why]) => why === "forged")) throw new Violation(text);
  throw new Error(text);
}
