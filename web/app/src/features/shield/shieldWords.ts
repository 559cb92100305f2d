/**
 * The shield in words. It says what the member's session computed, and nothing beyond it.
 * @module
 */

import type { GroupSnapshot } from "@conclave/client";
import type { ShieldBasis, ShieldGap, ShieldLevel } from "@conclave/wire";
import type { MessageDescriptor } from "@lingui/core";
import { msg, plural } from "@lingui/core/macro";

/** A level in words. */
export interface LevelWords {
  /** For the call's header. */
  readonly name: MessageDescriptor;
  /** The same where there is little room. */
  readonly short: MessageDescriptor;
  readonly meaning: MessageDescriptor;
}

const LEVEL_WORDS: Readonly<Record<ShieldLevel, LevelWords>> = {
  none: {
    name: msg`Not in the meeting yet`,
    short: msg`Not in yet`,
    meaning: msg`Your device has no keys yet. Nothing of yours is sent.`,
  },
  unverified: {
    name: msg`End-to-end encrypted, names not verified`,
    short: msg`Encrypted`,
    meaning: msg`Sound, picture, chat and names are encrypted on your device and opened only on those of the people in this meeting. The server cannot hear or see them. But some are here under a name that is their own word.`,
  },
  compared: {
    name: msg`End-to-end encrypted and compared`,
    short: msg`Compared`,
    meaning: msg`Sound, picture, chat and names are encrypted from end to end. You compared the safety code in a locked meeting, and nobody has come in since.`,
  },
  doubtful: {
    name: msg`Protection in doubt`,
    short: msg`In doubt`,
    meaning: msg`The call is still encrypted from end to end, but for half a minute and more no sign of life has come from those who must give one. The connection may be bad, or the server holds them back, and with them a change of the meeting. Say nothing confidential until they are heard again.`,
  },
  stopped: {
    name: msg`Stopped: nothing is sent`,
    short: msg`Stopped`,
    meaning: msg`Your device is not sure of the state of the meeting, so it sends nothing.`,
  },
};

/** `unverified` where the one thing that is not verified, the names, is proved for all. */
const ALL_PROVED: LevelWords = {
  name: msg`End-to-end encrypted`,
  short: LEVEL_WORDS.unverified.short,
  meaning: msg`Sound, picture, chat and names are encrypted on your device and opened only on those of the people in this meeting. The server cannot hear or see them. Everyone here has proved to be host.`,
};

/** `doubtful` where the cause is not silence, but a change that the others have and this device not. */
const BEHIND: LevelWords = {
  ...LEVEL_WORDS.doubtful,
  meaning: msg`The call is still encrypted from end to end, but others already go by newer keys, and the change that made them has not reached your device. It is being fetched; it may be late, or the server holds it back. Somebody may have come or gone without your seeing it. Say nothing confidential until it is here.`,
};

/** What a shield's level says of this call. */
export function levelWords({ shield, state }: Pick<GroupSnapshot, "shield" | "state">): LevelWords {
  const { level, notCovered } = shield;
  const allProved = level === "unverified" && !notCovered.some(({ type }) => type === "unverified");
  if (allProved) return ALL_PROVED;
  return level === "doubtful" && state === "catchingUp" ? BEHIND : LEVEL_WORDS[level];
}

/** What the level is based on. */
export function basisWords(basis: ShieldBasis): MessageDescriptor {
  switch (basis.type) {
    case "groupKeys":
      return msg`${plural(basis.members, {
        one: "The keys were made by # device, and no other has them.",
        other:
          "The keys were agreed on by # devices, and no other has them. They change whenever somebody comes or goes.",
      })}`;
    case "constitution":
      return msg`The meeting’s rules are those that your link names. The server cannot change them.`;
    case "linkSecret":
      return msg`Everyone who came in proved that they hold the link.`;
    case "hosts":
      return msg`${plural(basis.count, {
        0: "Nobody here has proved to be host.",
        one: "# person proved to be host by the meeting’s host key.",
        other: "# people proved to be host by the meeting’s host key.",
      })}`;
    case "heard": {
      const { heard, others } = basis;
      return msg`Signs of life with the same record of the meeting lately: from ${heard} of ${others} others.`;
    }
    case "codeCompared":
      return msg`You compared the safety code, and nobody has come in since.`;
    case "classification":
      return classificationWords(basis.classification);
  }
}

function classificationWords(classification: string): MessageDescriptor {
  switch (classification) {
    case "open":
      return msg`The meeting is not classified.`;
    case "internal":
      return msg`The meeting is classified as internal.`;
    case "confidential":
      return msg`The meeting is classified as confidential.`;
    case "secret":
      return msg`The meeting is classified as secret.`;
    default:
      return msg`The meeting’s classification: ${classification}.`;
  }
}

/** What the level does not cover. */
export function gapWords(gap: ShieldGap): MessageDescriptor {
  switch (gap.type) {
    case "unverified":
      return msg`${plural(gap.count, {
        one: "# person is here under a name that is their own word.",
        other: "# people are here under a name that is their own word.",
      })}`;
    case "codeNotCompared":
      return msg`The safety code was not compared since somebody came in: somebody who has the link and the server could sit between you.`;
    case "insider":
      return msg`A person in the meeting who controls the server too could pass off sound or pictures as another’s.`;
    case "clientCode":
      return msg`This program itself came from a server. Whoever controls that server could hand out another.`;
    case "gateways":
      return msg`Machines that hear, such as recorders or telephones, may be let in.`;
    case "metadata":
      return msg`The server sees when you call, from which address, and how much is sent.`;
    case "voiceLevel":
      return msg`The server is told how loud each one speaks, to forward the loudest.`;
  }
}
