/**
 * How a call ended or never began, each cause for itself.
 * @module
 */

import type { EndReason } from "@conclave/client";
import type { MemberState, NodeFault } from "@conclave/wire";
import type { MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import { MEETING_PROBLEMS, REFUSALS, UNSUPPORTED, type Words } from "../problem";

/** An end in words, and what its view offers. */
export interface Ending extends Words {
  /** `calm` for what people decide; `wrong` for what failed. */
  readonly tone: "calm" | "wrong";
  /** What the button that tries again says; nothing where it cannot help or must not be pressed. */
  readonly again: MessageDescriptor | undefined;
}

const JOIN_AGAIN = msg`Join again`;
const ASK_AGAIN = msg`Ask again`;

/** The end of a call, for all but those who left by themselves. */
export function endingOf(reason: Exclude<EndReason, { readonly kind: "left" }>): Ending {
  switch (reason.kind) {
    case "refused":
      return wrong(REFUSALS[reason.code], JOIN_AGAIN);
    case "policyMismatch":
      return wrong(MEETING_PROBLEMS.policyMismatch);
    case "denied":
      return {
        tone: "calm",
        what: msg`You were not let in`,
        todo: msg`Somebody in the meeting turned your request down. If that was a mistake, ask them by another way, then ask again here.`,
        again: ASK_AGAIN,
      };
    case "removed":
      return {
        tone: "calm",
        what: msg`You were removed from the meeting`,
        todo: msg`Camera and microphone are off, and your keys no longer open what is said. You may ask to be let in again.`,
        again: ASK_AGAIN,
      };
    case "over":
      return {
        tone: "calm",
        what: msg`The meeting is over`,
        todo: msg`The host closed it for everyone. Camera and microphone are off.`,
        again: undefined,
      };
    case "unverified":
      return unverified(reason.state);
    case "nodeRefused":
      return wrong(NODE_FAULTS[reason.fault], JOIN_AGAIN);
    case "unsupported":
      return wrong(UNSUPPORTED);
    case "crashed":
      return wrong(
        {
          what: msg`The part of this page that holds the keys has crashed`,
          todo: msg`The call was ended, so that nothing goes out unprotected. Come in again; you get new keys.`,
        },
        JOIN_AGAIN,
      );
    case "replaced":
      return wrong(REFUSALS.replaced, JOIN_AGAIN);
    case "unreachable":
      return wrong(
        {
          what: msg`The connection to the server was lost.`,
          todo: msg`Check your internet connection, then join again.`,
        },
        JOIN_AGAIN,
      );
  }
}

function wrong(words: Words, again?: MessageDescriptor): Ending {
  return { ...words, tone: "wrong", again };
}

function unverified(state: MemberState): Ending {
  switch (state) {
    case "failedPolicy":
      return wrong(MEETING_PROBLEMS.policyMismatch);
    case "failedDevice":
      return wrong(
        {
          what: msg`This device could not make its keys`,
          todo: msg`Without them there is no protected call. Reload the page, or use another browser.`,
        },
        msg`Try again`,
      );
    case "failedHostKey":
      return wrong({
        what: msg`The host key in your link is not this meeting’s`,
        todo: msg`Nothing was sent. Copy the host link again on the device that made the meeting, or come in by the invitation link.`,
      });
    case "failedInvitation":
      return wrong(
        {
          what: msg`What the server handed out for coming in is not valid`,
          todo: msg`You were not let in and nothing of yours was sent. Ask again; if it stays so, tell the host by another way: this server may be faulty or tampered with.`,
        },
        ASK_AGAIN,
      );
    case "failedInviter":
      return wrong({
        what: msg`Whoever let you in had no right to`,
        todo: msg`They do not know the meeting’s link, or may not let people in. It may not be the meeting you were invited to. Do not go on; ask the host by another way.`,
      });
    case "failedMember":
      return wrong(
        {
          what: msg`Somebody in the meeting has an identity that does not hold`,
          todo: msg`You were not let in and nothing of yours was sent. Tell the host by another way; they can remove that person.`,
        },
        ASK_AGAIN,
      );
    default:
      return wrong(
        {
          what: msg`The meeting could not be verified`,
          todo: msg`You were not let in and nothing of yours was sent. Tell the host by another way.`,
        },
        ASK_AGAIN,
      );
  }
}

const NODE_FAULTS: Readonly<Record<NodeFault, Words>> = {
  format: {
    what: msg`The server that was to carry the call shows an unreadable statement`,
    todo: msg`Nothing was sent to it. Tell the people who run this server.`,
  },
  signature: {
    what: msg`The server that was to carry the call is not one of this meeting’s`,
    todo: msg`Its statement is not signed by the key that the meeting names. Nothing was sent to it. Tell the host and the people who run this server.`,
  },
  meeting: {
    what: msg`The server that was to carry the call speaks for another meeting`,
    todo: msg`Nothing was sent to it. Tell the people who run this server.`,
  },
  expired: {
    what: msg`The statement of the server that was to carry the call is out of date`,
    todo: msg`Nothing was sent to it. Check that the date and time of your device are right, then join again.`,
  },
  jurisdiction: {
    what: msg`The server that was to carry the call is in a country that the meeting does not allow`,
    todo: msg`Nothing was sent to it. Join again later, or tell the people who run this server.`,
  },
  fingerprint: {
    what: msg`Somebody may sit between you and the server that was to carry the call`,
    todo: msg`The keys of the connection are not those of its statement. Nothing was sent. Try another network, and tell the people who run this server.`,
  },
  address: {
    what: msg`The call was to be carried by an address that its server did not name`,
    todo: msg`Nothing was sent to it. Try another network, and tell the people who run this server.`,
  },
};
