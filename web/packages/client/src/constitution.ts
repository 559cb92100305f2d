import type { MeetingId } from "@conclave/wire";

/** How people come in. */
export type MeetingMode =
  /** Someone who may lets each person in. */
  | "lobby"
  /** Whoever holds the link comes in. */
  | "open-link";

/** What a creator decides on. Keys are base64url of 32 bytes. */
export interface Founding {
  readonly meeting: MeetingId;
  readonly mode: MeetingMode;
  /** Whether the call may begin without a host. */
  readonly joinBeforeHost: boolean;
  /** Who proves to know its private half is a host. */
  readonly hostKey: string;
  /** Signs the statements of the media nodes that the meeting allows. */
  readonly nodeKey: string;
  /** Where media nodes may be: two capital letters each (ISO 3166-1); anywhere if empty. */
  readonly jurisdictions: readonly string[];
}

const VERSION = 2;

/** MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519: hybrid post-quantum. */
const SUITE = 0x004e;

const MAX_MEMBERS = 1000;

/**
 * What a meeting is founded on, as the one text that it has: JSON, these fields in this order,
 * without white space. Its digest is in the link. `crates/core/commit-rules` reads and writes the
 * same.
 */
export function writeConstitution(founding: Founding): string {
  return JSON.stringify({
    version: VERSION,
    meeting: founding.meeting,
    suite: SUITE,
    mode: founding.mode,
    joinBeforeHost: founding.joinBeforeHost,
    hostKey: founding.hostKey,
    issuers: [],
    guests: true,
    nodeKey: founding.nodeKey,
    jurisdictions: founding.jurisdictions,
    gateways: false,
    voiceLevel: true,
    classification: "open",
    maxMembers: MAX_MEMBERS,
  });
}

/** The public host key that a constitution names. Whether it is one at all, the member judges. */
export function hostKeyOf(constitution: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(constitution);
    if (typeof parsed !== "object" || parsed === null || !("hostKey" in parsed)) return undefined;
    return typeof parsed.hostKey === "string" ? parsed.hostKey : undefined;
  } catch {
    return undefined;
  }
}
