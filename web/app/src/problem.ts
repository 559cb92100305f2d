import type { LinkPart, MeetingFault, MissingFeature } from "@conclave/client";
import type { ErrorCode } from "@conclave/wire";
import type { MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";

/** A failure in words: what happened, and what to do about it. */
export interface Words {
  readonly what: MessageDescriptor;
  readonly todo: MessageDescriptor;
}

/** What is wrong with a link that somebody pasted or opened. */
export const LINK_PROBLEMS: Readonly<Record<LinkPart | "empty", Words>> = {
  empty: {
    what: msg`Nothing was entered.`,
    todo: msg`Paste the link from your invitation.`,
  },
  fragment: {
    what: msg`The part of the link after “#” is incomplete.`,
    todo: msg`Copy the whole link from the invitation, up to its last character.`,
  },
  hostSeed: {
    what: msg`The host key in the link is damaged.`,
    todo: msg`Copy the whole host link again on the device that made the meeting, or use the invitation link.`,
  },
  meeting: {
    what: msg`The link names no valid meeting.`,
    todo: msg`A character may be missing or changed. Copy the link from the invitation again.`,
  },
  noFragment: {
    what: msg`The link ends too early: its key, the part after “#”, is missing.`,
    todo: msg`Some programs cut links off at “#”. Copy the whole link, or ask the sender to send it again.`,
  },
  origin: {
    what: msg`This is not a web address that begins with “https://”.`,
    todo: msg`Paste the link as you received it.`,
  },
  path: {
    what: msg`This address does not lead to a meeting.`,
    todo: msg`A meeting’s link has “/m/” after the name of the server.`,
  },
  policyDigest: {
    what: msg`The end of the link is damaged.`,
    todo: msg`Copy the whole link from the invitation, up to its last character.`,
  },
  secret: {
    what: msg`The key in the link is damaged.`,
    todo: msg`A character may be missing or changed. Copy the link from the invitation again.`,
  },
  version: {
    what: msg`The link is of a kind that this page does not know.`,
    todo: msg`It may come from a newer version. Reload this page; if that does not help, ask the sender.`,
  },
};

/** Why a meeting could not be asked for or created. */
export const MEETING_PROBLEMS: Readonly<Record<MeetingFault, Words>> = {
  busy: {
    what: msg`The server is busy or restarting.`,
    todo: msg`Try again in a moment.`,
  },
  incompatible: {
    what: msg`This page and the server do not fit together.`,
    todo: msg`Reload the page to get the server’s version.`,
  },
  policyMismatch: {
    what: msg`The meeting’s rules are not those that your link names.`,
    todo: msg`Somebody may have changed them on the server. Do not join; ask the sender for a new link.`,
  },
  rateLimited: {
    what: msg`There were too many requests from your network.`,
    todo: msg`Wait a minute, then try again.`,
  },
  server: {
    what: msg`The server failed to answer properly.`,
    todo: msg`Try again; if it stays so, tell the people who run this server.`,
  },
  unknownMeeting: {
    what: msg`There is no such meeting.`,
    todo: msg`It may have been removed, or the link is damaged. Ask the sender for a new link.`,
  },
  unreachable: {
    what: msg`The server cannot be reached.`,
    todo: msg`Check your internet connection, then try again.`,
  },
};

/** What a browser lacks for a call. */
export const MISSING_FEATURES: Readonly<Record<MissingFeature, Words>> = {
  secureContext: {
    what: msg`This page was not loaded securely, so the browser keeps camera and microphone shut.`,
    todo: msg`Open it by an address that begins with “https://”.`,
  },
  cryptography: {
    what: msg`This browser offers no cryptography to pages.`,
    todo: msg`Update it, or use a current Firefox, Chrome, Edge or Safari.`,
  },
  mediaDevices: {
    what: msg`This browser gives pages no access to cameras and microphones.`,
    todo: msg`Open the link in a current Firefox, Chrome, Edge or Safari, not inside another app.`,
  },
  webRtc: {
    what: msg`This browser cannot hold video calls.`,
    todo: msg`Update it, or use a current Firefox, Chrome, Edge or Safari.`,
  },
  webSocket: {
    what: msg`This browser cannot keep a connection to the server.`,
    todo: msg`Update it, or use a current Firefox, Chrome, Edge or Safari.`,
  },
};

/** A browser that cannot seal frames: there is no call without that. */
export const UNSUPPORTED: Words = {
  what: msg`This browser cannot protect calls from end to end`,
  todo: msg`There is no unprotected call here. Open the link in a current Firefox, Chrome, Edge or Safari.`,
};

/** Why the server did not let somebody in, or put them out. */
export const REFUSALS: Readonly<Record<ErrorCode, Words>> = {
  badMessage: MEETING_PROBLEMS.incompatible,
  badOffer: MEETING_PROBLEMS.incompatible,
  draining: {
    what: msg`The server is being restarted.`,
    todo: msg`Join again in a moment.`,
  },
  internal: MEETING_PROBLEMS.server,
  meetingFull: {
    what: msg`The meeting is full.`,
    todo: msg`Try again when somebody has left, or ask the sender of the link.`,
  },
  rateLimited: MEETING_PROBLEMS.rateLimited,
  replaced: {
    what: msg`You went on with this meeting in another tab.`,
    todo: msg`Close this tab, or come back to the meeting here.`,
  },
  resumeRefused: {
    what: msg`The connection was lost for too long.`,
    todo: msg`Join the meeting again.`,
  },
  unknownMeeting: MEETING_PROBLEMS.unknownMeeting,
  unsupportedVersion: MEETING_PROBLEMS.incompatible,
};
