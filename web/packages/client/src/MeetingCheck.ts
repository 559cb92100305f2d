import type { CameraCodec } from "@conclave/wire";

import type { CallEnv } from "./callEnv";
import { hostKeyOf } from "./constitution";
import type { LinkKeys, MeetingLink } from "./link";
import { type Meeting, MeetingError } from "./meetings";
import type { EndReason } from "./snapshot";

/** A meeting whose constitution is the one that the link names: it may be joined. */
export interface CheckedMeeting {
  readonly keys: LinkKeys;
  readonly constitution: string;
  /** What the server wants cameras to be sent in. */
  readonly cameraCodec: CameraCodec;
  /** The meeting's host key, if this device has it. */
  readonly hostKey: CryptoKey | undefined;
}

/** What {@link checkMeeting} is made of. */
export interface MeetingCheckOptions {
  readonly link: MeetingLink;
  readonly env: Pick<CallEnv, "deriveKeys" | "fetchMeeting" | "hostKeys">;
  readonly onMeeting: (meeting: Meeting) => void;
  /** The meeting cannot be joined, however often it is asked for. */
  readonly onRefused: (reason: EndReason) => void;
  /** Nobody needs the answer any more. */
  readonly stop: AbortSignal;
}

/** Pause before a meeting that could not be asked for is asked for again. */
const ASK_AGAIN_MS = 1_500;

/**
 * Asks for a meeting until there is an answer: no call is joined whose constitution was not seen.
 * Stays pending for ever where there is nothing to join.
 */
export async function checkMeeting(options: MeetingCheckOptions): Promise<CheckedMeeting> {
  const { link, env, onMeeting, onRefused, stop } = options;
  const keys = await env.deriveKeys(link);
  while (!stop.aborted) {
    try {
      const meeting = await env.fetchMeeting(link, keys);
      if (stop.aborted) break;
      onMeeting(meeting);
      const { constitution, cameraCodec } = meeting;
      const hostKey = await env.hostKeys.find(link.id, hostKeyOf(constitution));
      return { keys, constitution, cameraCodec, hostKey };
    } catch (error) {
      if (!(error instanceof MeetingError)) throw error;
      const reason = refusalOf(error);
      if (reason !== undefined && !stop.aborted) onRefused(reason);
      if (reason !== undefined) break;
    }
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
  }
  return new Promise(() => {});
}

/** Why asking again would not help; nothing if it may. */
function refusalOf({ fault }: MeetingError): EndReason | undefined {
  switch (fault) {
    case "policyMismatch":
      return { kind: "policyMismatch" };
    case "unknownMeeting":
      return { kind: "refused", code: "unknownMeeting" };
    case "incompatible":
      return { kind: "refused", code: "unsupportedVersion" };
    case "busy":
    case "rateLimited":
    case "server":
    case "unreachable":
      return undefined;
    default:
      return unreachable(fault);
  }
}

function unreachable(value: never): never {
  throw new Error(`unhandled: ${JSON.stringify(value)}`);
}
