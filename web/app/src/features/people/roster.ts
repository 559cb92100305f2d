import type { ParticipantSnapshot } from "@conclave/client";

/** The others by how it is known who they are. */
export interface Roster {
  /** Those whose name is their own word: first, so that nobody hides at the end of a long list. */
  readonly unverified: readonly ParticipantSnapshot[];
  readonly proved: readonly ParticipantSnapshot[];
}

/** Sorts the others: within each part those who have just come first, then shared names. */
export function rosterOf(others: readonly ParticipantSnapshot[]): Roster {
  const isProved = ({ proof }: ParticipantSnapshot): boolean => proof === "hostKey";
  return {
    unverified: others.filter((one) => !isProved(one)).toSorted(byNews),
    proved: others.filter(isProved).toSorted(byNews),
  };
}

function byNews(a: ParticipantSnapshot, b: ParticipantSnapshot): number {
  return newsOf(b) - newsOf(a);
}

function newsOf({ arrived, leaving, nameShared }: ParticipantSnapshot): number {
  if (leaving) return -1;
  return Number(arrived) * 2 + Number(nameShared);
}
