/**
 * What is said of the cost of frames, computed from what a key worker counted.
 * @module
 */

import type { FrameCost, FrameCosts, FrameCounts } from "@conclave/e2ee";

/** The most milliseconds that a frame may take in the mean, and what we strive for. */
export const LIMIT_MS = 0.4;
export const AIM_MS = 0.15;

/** The most bytes that sealing may add to a frame of sound. */
export const LIMIT_AUDIO_BYTES = 20;

/**
 * What the suite forces on a frame of sound, where that is more: the tag of AES-256-GCM whole, and
 * of the header (RFC 9605 section 4.3) a byte of lengths, two of the key id (of leaves 1 to 255) and two
 * of the counter, which the 256th frame of an epoch needs: after five seconds.
 */
export const FORCED_AUDIO_BYTES = 16 + 1 + 2 + 2;

/** Frames of one kind in one direction. */
export interface KindReport {
  readonly frames: number;
  readonly meanMs: number;
  /** At most so long, as finely as the clock tells. */
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly clearBytes: number;
  readonly addedBytes: number;
}

export interface Direction {
  readonly audio: KindReport;
  readonly video: KindReport;
}

/** What one browser's key worker did. */
export interface BrowserReport {
  readonly sealing: Direction;
  readonly opening: Direction;
  /** What was not sealed or not opened, by reason. */
  readonly lost: Readonly<Record<string, number>>;
  /** Of the time that passed, how much passed in transforms. */
  readonly transformShare: number;
  /** The processor time of the worker's whole thread, as a share of one core. */
  readonly threadShare: number;
  /**
   * Of the time in transforms, the most in which the thread ran: on a busy machine it waits for a
   * processor there too, which is no cost of ours.
   */
  readonly runningShare: number;
  /** What the thread took for each frame, streams and messages included. */
  readonly threadMsPerFrame: number;
  /** The smallest step that the worker's clock was seen to make. */
  readonly clockStepMs: number;
}

/** Everything between two counts, by a clock that makes steps of so many milliseconds. */
export function between(
  before: FrameCounts,
  after: FrameCounts,
  clockStepMs: number,
): Pick<BrowserReport, "sealing" | "opening" | "lost"> & { readonly ms: number } {
  const [sealing, opening] = (["sealing", "opening"] as const).map((direction) => ({
    audio: difference(before[direction].audio, after[direction].audio),
    video: difference(before[direction].video, after[direction].video),
  })) as [FrameCosts, FrameCosts];
  const lost = Object.entries({ ...after.notSealed, ...after.dropped }).map(
    ([why, count]) =>
      [why, count - (before.notSealed[why] ?? 0) - (before.dropped[why] ?? 0)] as const,
  );
  return {
    sealing: reports(sealing, clockStepMs),
    opening: reports(opening, clockStepMs),
    lost: Object.fromEntries(lost.filter(([, count]) => count > 0)),
    ms: sealing.audio.ms + sealing.video.ms + opening.audio.ms + opening.video.ms,
  };
}

function difference(before: FrameCost, after: FrameCost): FrameCost {
  return {
    frames: after.frames - before.frames,
    ms: after.ms - before.ms,
    clearBytes: after.clearBytes - before.clearBytes,
    addedBytes: after.addedBytes - before.addedBytes,
    steps: after.steps.map((count, step) => count - (before.steps[step] ?? 0)),
    stepMs: after.stepMs,
  };
}

function reports({ audio, video }: FrameCosts, clockStepMs: number): Direction {
  return { audio: report(audio, clockStepMs), video: report(video, clockStepMs) };
}

function report(cost: FrameCost, clockStepMs: number): KindReport {
  const each = (sum: number) => (cost.frames === 0 ? 0 : sum / cost.frames);
  return {
    frames: cost.frames,
    meanMs: rounded(each(cost.ms)),
    p50Ms: Math.max(quantile(cost, 0.5), clockStepMs),
    p95Ms: Math.max(quantile(cost, 0.95), clockStepMs),
    clearBytes: Math.round(each(cost.clearBytes)),
    addedBytes: rounded(each(cost.addedBytes)),
  };
}

/** The upper end of the step in which this share of all frames is reached. */
function quantile({ frames, steps, stepMs }: FrameCost, share: number): number {
  let seen = 0;
  const step = steps.findIndex((count) => {
    seen += count;
    return seen >= share * frames;
  });
  return rounded((step + 1) * stepMs);
}

export function rounded(number: number): number {
  return Math.round(number * 1000) / 1000;
}

/** What is above a limit, in words. */
export function faults(browser: string, found: BrowserReport): readonly string[] {
  const rows = rowsOf(found);
  const slow = rows
    .filter(({ runningMs }) => runningMs > LIMIT_MS)
    .map(({ what, runningMs }) => `${browser}: ${what} takes ${runningMs} ms of ${LIMIT_MS} ms`);
  const none = rows
    .filter(({ frames }) => frames === 0)
    .map(({ what }) => `${browser}: ${what}: there was none`);
  const { addedBytes } = found.sealing.audio;
  const most = Math.max(LIMIT_AUDIO_BYTES, FORCED_AUDIO_BYTES);
  const long =
    addedBytes > most ? [`${browser}: ${addedBytes} bytes added to a frame of sound`] : [];
  return [...none, ...slow, ...long];
}

/** A table for people, as Markdown has them. */
export function table(reports: Readonly<Record<string, BrowserReport>>): string {
  const head = [
    "| browser | frame | frames | bytes | added | mean ms | running ms | p50 | p95 |",
    "|---|---|---|---|---|---|---|---|---|",
  ];
  const rows = Object.entries(reports).flatMap(([browser, found]) =>
    rowsOf(found).map(
      ({ what, frames, clearBytes, addedBytes, meanMs, runningMs, p50Ms, p95Ms }) => {
        const times = [meanMs, runningMs, p50Ms, p95Ms];
        return `| ${[browser, what, frames, clearBytes, addedBytes, ...times].join(" | ")} |`;
      },
    ),
  );
  return [...head, ...rows].join("\n");
}

interface Row extends KindReport {
  readonly what: string;
  /** What the thread ran in the mean, if it waited as much in all transforms. */
  readonly runningMs: number;
}

function rowsOf({ sealing, opening, runningShare }: BrowserReport): readonly Row[] {
  const row = (what: string, kind: KindReport): Row => {
    return { what, ...kind, runningMs: rounded(kind.meanMs * runningShare) };
  };
  return [
    row("sound sealed", sealing.audio),
    row("picture sealed", sealing.video),
    row("sound opened", opening.audio),
    row("picture opened", opening.video),
  ];
}
