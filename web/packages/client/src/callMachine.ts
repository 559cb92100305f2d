/**
 * What the call is doing, as a pure function of what happened.
 *
 * No timers, sockets or peer connections here: {@link step} answers with the next state and with
 * what the shell must do. Instants and durations are in milliseconds.
 *
 * Two things come and go on their own: the *door* (the socket, what was said through it, and
 * whether the meeting's group has this device) and the *media* (the peer connection). A call goes
 * on while one of them is away: people are still heard while the socket comes back, and the roster
 * still follows while media does.
 * @module
 */

import type { ErrorCode } from "@conclave/wire";

import type { EndReason } from "./snapshot";

/** The call. Exactly one `kind` at a time. */
export type CallState =
  | { readonly kind: "preparing"; readonly socket: "down" | "up" }
  | {
      readonly kind: "joining";
      readonly door: Exclude<Door, "inside">;
      readonly waits: Waits | undefined;
    }
  | { readonly kind: "inCall"; readonly media: "connecting" | "up" }
  | {
      readonly kind: "reconnecting";
      readonly door: Door;
      readonly waits: Waits | undefined;
      readonly media: Media;
      /** There was a leaf in the group, and the server may still know the session. */
      readonly resumes: boolean;
      readonly sinceMs: number;
      readonly attempt: number;
    }
  | { readonly kind: "ended"; readonly reason: EndReason };

/**
 * `closed`: no socket; `asked`: `join` or `resume` is on its way; `outside`: the server knows this
 * device, the group does not have it yet; `inside`: the group has it.
 */
export type Door = "closed" | "asked" | "outside" | "inside";

/** What is waited for at the door: somebody who lets people in, or a host who opens the meeting. */
export type Waits = "admission" | "host";

/** `lost`: what ran is dead, and nothing new has been offered yet. */
export type Media = "connecting" | "up" | "lost";

/** Something that happened. */
export type CallInput =
  | { readonly kind: "joinPressed" }
  | { readonly kind: "rejoinPressed" }
  | { readonly kind: "leavePressed" }
  /** The socket is open and greeted. */
  | { readonly kind: "socketUp" }
  | { readonly kind: "socketDown"; readonly atMs: number }
  /** The server knows this device as a newcomer: the rest is between it and the group. */
  | { readonly kind: "atDoor" }
  /** The server took the session up again. `answered`: it also answered an offer. */
  | { readonly kind: "resumed"; readonly mediaAlive: boolean; readonly answered: boolean }
  /** This device's leaf is in the group: a media session may be offered. */
  | { readonly kind: "admitted" }
  /** What the group's door is waited for changed. */
  | { readonly kind: "waits"; readonly why: Waits | undefined; readonly atMs: number }
  | { readonly kind: "mediaUp" }
  | { readonly kind: "mediaLost"; readonly atMs: number }
  | { readonly kind: "refused"; readonly code: ErrorCode; readonly atMs: number }
  /** The call cannot go on. */
  | { readonly kind: "stopped"; readonly reason: EndReason }
  /** {@link patienceOf} ran out. */
  | { readonly kind: "patienceEnded" };

/** Something to do. */
export type CallEffect =
  | { readonly kind: "openSocket" }
  /** Says `resume` where that can work, otherwise `join`. `media` is for `resume`. */
  | { readonly kind: "enter"; readonly resume: boolean; readonly media: "keep" | "offer" }
  /** Makes a new peer connection and offers it on the open socket. */
  | { readonly kind: "renewMedia"; readonly delayMs: number }
  | { readonly kind: "sendLeave" }
  /** Frees socket, peer connection, devices and keys. */
  | { readonly kind: "close" }
  /** Drops what a reload would come back into: it asks before it joins again. */
  | { readonly kind: "forgetStay" }
  /** Drops what a reload would come back with, the link's secret too. */
  | { readonly kind: "forget" };

type Step = readonly [CallState, readonly CallEffect[]];

/** Pause before media that failed again is offered again; it doubles with each attempt. */
const FIRST_RENEWAL_DELAY_MS = 250;
const MAX_RENEWAL_DELAY_MS = 4_000;

/** What may not last for ever. Each kind has one span of time, however often its state changes. */
export type Patience = "joining" | "backToDoor" | "reconnecting";

/** The longest span of each, in milliseconds. */
export const PATIENCE_MS: Readonly<Record<Patience, number>> = {
  joining: 30_000,
  // Who waits to be let in comes back to the door after a server's restart or a tunnel.
  backToDoor: 120_000,
  // Longer than a server's restart, a train's tunnel or a change of networks takes.
  reconnecting: 120_000,
};

/** What the state asks patience for; nothing if it may last for ever. */
export function patienceOf(state: CallState): Patience | undefined {
  switch (state.kind) {
    case "joining":
    case "reconnecting":
      // Somebody opens the door when they like.
      if (state.waits !== undefined && state.door === "outside") return undefined;
      if (state.waits !== undefined) return "backToDoor";
      return state.kind;
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
      return state.kind === "preparing" ? join(state.socket) : [state, []];
    case "rejoinPressed":
      return state.kind === "ended"
        ? [{ kind: "joining", door: "closed", waits: undefined }, [{ kind: "openSocket" }]]
        : [state, []];
    case "leavePressed":
      return leave(state);
    case "socketUp":
      return socketUp(state);
    case "socketDown":
      return socketDown(state, input.atMs);
    case "atDoor":
      return atDoor(state);
    case "resumed":
      return resumed(state, input);
    case "admitted":
      return admitted(state);
    case "waits":
      return waits(state, input);
    case "mediaUp":
      return mediaUp(state);
    case "mediaLost":
      return mediaLost(state, input.atMs);
    case "refused":
      return refused(state, input.code, input.atMs);
    case "stopped":
      return state.kind === "ended" ? [state, []] : depart(state, input.reason, "forgetStay");
    case "patienceEnded":
      return patienceOf(state) === undefined ? [state, []] : end({ kind: "unreachable" });
    default:
      return unreachable(input);
  }
}

function join(socket: "down" | "up"): Step {
  return socket === "up"
    ? [{ kind: "joining", door: "asked", waits: undefined }, [enter(false, "offer")]]
    : [{ kind: "joining", door: "closed", waits: undefined }, []];
}

function leave(state: CallState): Step {
  if (state.kind === "ended") return [state, []];
  return depart(state, { kind: "left" }, "forget");
}

/** Goes, and says so: nobody is to wait for it. */
function depart(state: CallState, reason: EndReason, forget: "forget" | "forgetStay"): Step {
  const close: readonly CallEffect[] = [{ kind: "close" }, { kind: forget }];
  return [{ kind: "ended", reason }, isKnown(state) ? [{ kind: "sendLeave" }, ...close] : close];
}

/** Whether the server knows of this device, or is about to. */
function isKnown(state: CallState): boolean {
  return state.kind === "inCall" || ("door" in state && state.door !== "closed");
}

function socketUp(state: CallState): Step {
  switch (state.kind) {
    case "preparing":
      return [{ kind: "preparing", socket: "up" }, []];
    case "joining":
      return [{ ...state, door: "asked" }, [enter(false, "offer")]];
    case "reconnecting":
      return [
        { ...state, door: "asked", media: state.media === "up" ? "up" : "connecting" },
        [enter(state.resumes, state.media === "up" ? "keep" : "offer")],
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
      const media = state.media === "up" ? "up" : "lost";
      return [reconnecting({ door: "closed", media, sinceMs: atMs }), []];
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

function atDoor(state: CallState): Step {
  if (state.kind === "joining") return [{ ...state, door: "outside" }, []];
  if (state.kind !== "reconnecting") return [state, []];
  return [{ ...state, door: "outside", media: "lost", resumes: false }, []];
}

function resumed(state: CallState, input: Extract<CallInput, { kind: "resumed" }>): Step {
  if (state.kind !== "reconnecting") return [state, []];
  const inside = { ...state, door: "inside" } as const;
  if (input.answered && state.media !== "up") return [{ ...inside, media: "connecting" }, []];
  if (input.mediaAlive && state.media === "up") return [{ kind: "inCall", media: "up" }, []];
  return [{ ...inside, media: "connecting" }, [renew(0)]];
}

/** Each admission begins a media session: what ran before was another leaf's. */
function admitted(state: CallState): Step {
  switch (state.kind) {
    case "inCall":
      return [{ kind: "inCall", media: "connecting" }, [renew(0)]];
    case "joining":
    case "reconnecting":
      return state.door === "outside" || state.door === "inside"
        ? [{ kind: "inCall", media: "connecting" }, [renew(0)]]
        : [state, []];
    case "preparing":
    case "ended":
      return [state, []];
    default:
      return unreachable(state);
  }
}

function waits(state: CallState, { why, atMs }: Extract<CallInput, { kind: "waits" }>): Step {
  switch (state.kind) {
    case "joining":
    case "reconnecting":
      return [{ ...state, waits: why }, []];
    case "inCall":
      // It comes in anew, and the group asks it to wait as it would a newcomer.
      return why === undefined
        ? [state, []]
        : [reconnecting({ door: "outside", waits: why, media: "lost", sinceMs: atMs }), []];
    case "preparing":
    case "ended":
      return [state, []];
    default:
      return unreachable(state);
  }
}

function mediaUp(state: CallState): Step {
  switch (state.kind) {
    case "inCall":
      return [{ ...state, media: "up" }, []];
    case "reconnecting":
      if (state.door === "outside") return [state, []];
      return state.door === "inside"
        ? [{ kind: "inCall", media: "up" }, []]
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
    case "inCall":
      return [reconnecting({ door: "inside", media: "connecting", sinceMs: atMs }), [renew(0)]];
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

function refused(state: CallState, code: ErrorCode, atMs: number): Step {
  if (state.kind === "ended") return [state, []];
  switch (code) {
    case "replaced":
      return end({ kind: "replaced" });
    case "unknownMeeting":
    case "unsupportedVersion":
      return end({ kind: "refused", code });
    case "resumeRefused":
      return joinAnew(state);
    case "draining":
      // The socket closes next, and what follows a restart is an ordinary reconnection.
      return [state, []];
    case "badOffer":
      return offerRefused(state, atMs);
    case "meetingFull":
      // Whoever holds the link may stand at the door; how much media there may be is counted later.
      return lacksMedia(state)
        ? depart(state, { kind: "refused", code }, "forgetStay")
        : endIfAsking(state, code);
    case "badMessage":
    case "internal":
    case "rateLimited":
      return endIfAsking(state, code);
    default:
      return unreachable(code);
  }
}

/** The session is gone, the meeting is not: come in as a newcomer, on the same socket. */
function joinAnew(state: CallState): Step {
  return state.kind === "reconnecting" && state.door === "asked"
    ? [{ ...state, media: "lost", resumes: false }, [enter(false, "offer")]]
    : [state, []];
}

/** A pool that could not grow is the peer's to roll back; a session without media is none. */
function offerRefused(state: CallState, atMs: number): Step {
  return lacksMedia(state) ? mediaLost(state, atMs) : endIfAsking(state, "badOffer");
}

/** Whether it is inside, and its media is still to come. */
function lacksMedia(state: CallState): boolean {
  const isInside = state.kind === "inCall" || ("door" in state && state.door === "inside");
  return isInside && "media" in state && state.media !== "up";
}

function endIfAsking(state: CallState, code: ErrorCode): Step {
  return "door" in state && state.door === "asked" ? end({ kind: "refused", code }) : [state, []];
}

function end(reason: EndReason): Step {
  return [{ kind: "ended", reason }, [{ kind: "close" }]];
}

type Reconnecting = Extract<CallState, { kind: "reconnecting" }>;

function reconnecting(
  part: Pick<Reconnecting, "door" | "media" | "sinceMs"> & Partial<Reconnecting>,
): Reconnecting {
  const { waits: why } = part;
  return { kind: "reconnecting", resumes: why === undefined, attempt: 1, waits: why, ...part };
}

function enter(resume: boolean, media: "keep" | "offer"): CallEffect {
  return { kind: "enter", resume, media };
}

function renew(delayMs: number): CallEffect {
  return { kind: "renewMedia", delayMs };
}

function unreachable(value: never): never {
  throw new Error(`unhandled: ${JSON.stringify(value)}`);
}
