/**
 * What is counted of a time in which people were disturbed or left in peace.
 * @module
 */

/** From this on, a picture that stands still counts as frozen. */
export const FREEZE_MS = 500;

/** How such a time was for a couple, or for all. */
export interface Tally {
  readonly seconds: number;
  /** How many people came and left again. */
  readonly visits: number;
  /** Frames of sound and picture that the two opened. */
  readonly opened: number;
  /** How often the picture of one stood still for the other, for longer than {@link FREEZE_MS}. */
  readonly freezes: number;
  /** For how long in all. */
  readonly frozenMs: number;
  readonly longestGapMs: number;
}

/** The tally of all couples together, or of several turns. */
export function sum(tallies: readonly Tally[]): Tally {
  const total = (of: (tally: Tally) => number) => tallies.reduce((all, each) => all + of(each), 0);
  return {
    seconds: total(({ seconds }) => seconds),
    visits: total(({ visits }) => visits),
    opened: total(({ opened }) => opened),
    freezes: total(({ freezes }) => freezes),
    frozenMs: total(({ frozenMs }) => frozenMs),
    longestGapMs: Math.max(0, ...tallies.map(({ longestGapMs }) => longestGapMs)),
  };
}

/** The tally in words. */
export function tallyInWords({
  seconds,
  visits,
  opened,
  freezes,
  frozenMs,
  longestGapMs,
}: Tally): string {
  const s = Math.round(seconds);
  return `${s} s, ${visits} visits, ${opened} frames opened, ${freezes} freezes of ${frozenMs} ms in all, longest gap ${longestGapMs} ms`;
}
