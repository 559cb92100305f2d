/**
 * What the call is doing, as a pure function of what happened.
 *
 * No timers, sockets or peer connections here: {@link step} answers with the next state and with
 * what the shell must do. Instants and durations are in milliseconds.
 *
 * Two things come and go on their own: the *door* (the socket, and what was said through it) and
 * the *media* (the peer connection). A call goes on while one of them is away: people are still
 * heard while the socket comes back, and the roster still follows while media does.
 * @module
 */

import type { ErrorCode } from "@conclave/wire";

import type { EndReason } from "./snapshot";

/** The call. Exactly one `kind` at a time. */
export type CallState =
  | { readonly kind: "preparing"; readonly socket: "down" | "up" }
  | { readonly kind: "joining"; readonly door: Door; readonly resumeToken: string | undefined }
  | { readonly kind: "inCall"; readonly resumeToken: string; readonly media: "connecting" | "up" }
  | {
      readonly kind: "reconnecting";
      readonly door: Door;
      readonly media: Media;
      readonly resumeToken: string | undefined;
      readonly sinceMs: number;
      readonly attempt: number;
    }
  | { readonly kind: "ended"; readonly reason: EndReason };

/** `closed`: no socket; `asked`: `join` or `resume` is on its way; `inside`: the server said yes. */
export type Door = "closed" | "asked" | "inside";

/** `lost`: what ran is dead, and nothing new has been offered yet. */
export type Media = "connecting" | "up" | "lost";

/** Something that happened. */
export type CallInput =
  | { readonly kind: "joinPressed"; readonly resumeToken: string | undefined }
  | { readonly kind: "rejoinPressed" }
  | { readonly kind: "leavePressed" }
  /** The socket is open and greeted. */
  | { readonly kind: "socketUp" }
  | { readonly kind: "socketDown"; readonly atMs: number }
  /** The server let us in. `answered`: it also answered an offer. */
  | {
      readonly kind: "joined";
      readonly resumeToken: string;
      readonly mediaAlive: boolean;
      readonly answered: boolean;
    }
  | { readonly kind: "mediaUp" }
  | { readonly kind: "mediaLost"; readonly atMs: number }
  | { readonly kind: "refused"; readonly code: ErrorCode; readonly fatal: boolean }
  | { readonly kind: "policyMismatch" }
  /** {@link patienceMs} ran out. */
  | { readonly kind: "patienceEnded" };

/** Something to do. */
export type CallEffect =
  | { readonly kind: "openSocket" }
  /** Says `join`, or `resume` if there is a token; with a new offer, or keeping what runs. */
  | {
      readonly kind: "enter";
      readonly resumeToken: string | undefined;
      readonly media: "keep" | "offer";
    }
  /** Makes a new peer connection and offers it on the open socket. */
  | { readonly kind: "renewMedia"; readonly delayMs: number }
  | { readonly kind: "sendLeave" }
  /** Frees socket, peer connection and devices. */
  | { readonly kind: "close" }
  /** Drops what a reload would come back with. */
  | { readonly kind: "forget" };

type Step = readonly [CallState, readonly CallEffect[]];

/** Pause before media that failed again is offered again; it doubles with each attempt. */
const FIRST_RENEWAL_DELAY_MS = 250;
const MAX_RENEWAL_DELAY_MS = 4_000;

/** How long the state may last before `patienceEnded`; `undefined`: for ever. */
export function patienceMs(state: CallState): number | undefined {
  switch (state.kind) {
    case "joining":
      return 20_000;
    case "reconnecting":
      // Longer than a server's restart, a train's tunnel or a change of networks takes.
      return 120_000;
    case "preparing":
    case "inCall":
    case "ended":
      return undefined;
    default:
      return unreachable(state);
  }
}

export function step(state: CallState, input: CallInput): Step {
  switch (input.kind) {
    case "joinPressed":
      return state.kind === "preparing" ? join(state.socket, input.resumeToken) : [state, []];
    case "rejoinPressed":
      return state.kind === "ended"
        ? [{ kind: "joining", door: "closed", resumeToken: undefined }, [{ kind: "openSocket" }]]
        : [state, []];
    case "leavePressed":
      return leave(state);
    case "socketUp":
      return socketUp(state);
    case "socketDown":
      return socketDown(state, input.atMs);
    case "joined":
      return joined(state, input);
    case "mediaUp":
      return mediaUp(state);
    case "mediaLost":
      return mediaLost(state, input.atMs);
    case "refused":
      return refused(state, input.code);
    case "policyMismatch":
      return state.kind === "ended" ? [state, []] : end({ kind: "policyMismatch" });
    case "patienceEnded":
      return patienceMs(state) === undefined ? [state, []] : end({ kind: "unreachable" });
    default:
      return unreachable(input);
  }
}

function join(socket: "down" | "up", resumeToken: string | undefined): Step {
  return socket === "up"
    ? [{ kind: "joining", door: "asked", resumeToken }, [enter(resumeToken, "offer")]]
    : [{ kind: "joining", door: "closed", resumeToken }, []];
}

function leave(state: CallState): Step {
  if (state.kind === "ended") return [state, []];
  const reason: EndReason = { kind: "left" };
  const close: readonly CallEffect[] = [{ kind: "close" }, { kind: "forget" }];
  return [{ kind: "ended", reason }, isInside(state) ? [{ kind: "sendLeave" }, ...close] : close];
}

function isInside(state: CallState): boolean {
  return state.kind === "inCall" || ("door" in state && state.door !== "closed");
}

function socketUp(state: CallState): Step {
  switch (state.kind) {
    case "preparing":
      return [{ kind: "preparing", socket: "up" }, []];
    case "joining":
      return [{ ...state, door: "asked" }, [enter(state.resumeToken, "offer")]];
    case "reconnecting":
      return [
        { ...state, door: "asked", media: state.media === "up" ? "up" : "connecting" },
        [enter(state.resumeToken, state.media === "up" ? "keep" : "offer")],
      ];
    case "inCall":
    case "ended":
      return [state, []];
    default:
      return unreachable(state);
  }
}

function socketDown(state: CallState, atMs: number): Step {
  switch (state.kind) {
    case "preparing":
      return [{ kind: "preparing", socket: "down" }, []];
    case "joining":
      return [{ ...state, door: "closed" }, []];
    case "inCall": {
      const { resumeToken } = state;
      const media = state.media === "up" ? "up" : "lost";
      return [
        { kind: "reconnecting", door: "closed", media, resumeToken, sinceMs: atMs, attempt: 1 },
        [],
      ];
    }
    case "reconnecting": {
      const media = state.media === "up" ? "up" : "lost";
      return [{ ...state, door: "closed", media, attempt: state.attempt + 1 }, []];
    }
    case "ended":
      return [state, []];
    default:
      return unreachable(state);
  }
}

function joined(state: CallState, input: Extract<CallInput, { kind: "joined" }>): Step {
  const { resumeToken } = input;
  if (state.kind === "joining") {
    return input.answered
      ? [{ kind: "inCall", resumeToken, media: "connecting" }, []]
      : [{ kind: "inCall", resumeToken, media: "connecting" }, [renew(0)]];
  }
  if (state.kind !== "reconnecting") return [state, []];
  const inside = { ...state, resumeToken, door: "inside" } as const;
  if (input.answered && state.media !== "up") return [{ ...inside, media: "connecting" }, []];
  if (input.mediaAlive && state.media === "up")
    return [{ kind: "inCall", resumeToken, media: "up" }, []];
  return [{ ...inside, media: "connecting" }, [renew(0)]];
}

function mediaUp(state: CallState): Step {
  switch (state.kind) {
    case "inCall":
      return [{ ...state, media: "up" }, []];
    case "reconnecting":
      return state.door === "inside" && state.resumeToken !== undefined
        ? [{ kind: "inCall", resumeToken: state.resumeToken, media: "up" }, []]
        : [{ ...state, media: "up" }, []];
    case "preparing":
    case "joining":
    case "ended":
      return [state, []];
    default:
      return unreachable(state);
  }
}

function mediaLost(state: CallState, atMs: number): Step {
  switch (state.kind) {
    case "inCall": {
      const { resumeToken } = state;
      const inside = { kind: "reconnecting", door: "inside", media: "connecting" } as const;
      return [{ ...inside, resumeToken, sinceMs: atMs, attempt: 1 }, [renew(0)]];
    }
    case "reconnecting": {
      if (state.door !== "inside") return [{ ...state, media: "lost" }, []];
      const delayMs = Math.min(
        MAX_RENEWAL_DELAY_MS,
        FIRST_RENEWAL_DELAY_MS * 2 ** Math.min(state.attempt - 1, 10),
      );
      return [{ ...state, media: "connecting", attempt: state.attempt + 1 }, [renew(delayMs)]];
    }
    case "preparing":
    case "joining":
    case "ended":
      return [state, []];
    default:
      return unreachable(state);
  }
}

function refused(state: CallState, code: ErrorCode): Step {
  if (state.kind === "ended") return [state, []];
  switch (code) {
    case "replaced":
      return [{ kind: "ended", reason: { kind: "replaced" } }, [{ kind: "close" }]];
    case "unknownMeeting":
    case "unsupportedVersion":
      return end({ kind: "refused", code });
    case "resumeRefused":
      return joinAnew(state);
    case "draining":
      // The socket closes next, and what follows a restart is an ordinary reconnection.
      return [state, []];
    case "badOffer":
      // A pool that could not grow is the peer's to roll back; an entry without media is none.
      return state.kind === "reconnecting" && state.door === "inside"
        ? mediaLost(state, state.sinceMs)
        : endIfAsking(state, code);
    case "badMessage":
    case "internal":
    case "meetingFull":
    case "rateLimited":
      return endIfAsking(state, code);
    default:
      return unreachable(code);
  }
}

/** The session is gone, the meeting is not: come in as a new participant, on the same socket. */
function joinAnew(state: CallState): Step {
  if (state.kind === "joining" && state.door === "asked") {
    return [{ ...state, resumeToken: undefined }, [enter(undefined, "offer")]];
  }
  if (state.kind === "reconnecting" && state.door === "asked") {
    return [{ ...state, resumeToken: undefined, media: "connecting" }, [enter(undefined, "offer")]];
  }
  return [state, []];
}

function endIfAsking(state: CallState, code: ErrorCode): Step {
  return "door" in state && state.door === "asked" ? end({ kind: "refused", code }) : [state, []];
}

function end(reason: EndReason): Step {
  return [{ kind: "ended", reason }, [{ kind: "close" }]];
}

function enter(resumeToken: string | undefined, media: "keep" | "offer"): CallEffect {
  return { kind: "enter", resumeToken, media };
}

function renew(delayMs: number): CallEffect {
  return { kind: "renewMedia", delayMs };
}

function unreachable(value: never): never {
  throw new Error(`unhandled: ${JSON.stringify(value)}`);
}
