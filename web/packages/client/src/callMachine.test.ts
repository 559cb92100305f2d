import { describe, expect, test } from "vitest";

import {
  type CallEffect,
  type CallInput,
  type CallState,
  PATIENCE_MS,
  patienceOf,
  step,
} from "./callMachine";

type Joining = Extract<CallState, { kind: "joining" }>;
type Reconnecting = Extract<CallState, { kind: "reconnecting" }>;

const ready: CallState = { kind: "preparing", socket: "up" };
const unready: CallState = { kind: "preparing", socket: "down" };
const inCall: CallState = { kind: "inCall", media: "up" };
const connecting: CallState = { kind: "inCall", media: "connecting" };
const left: CallState = { kind: "ended", reason: { kind: "left" } };

function joining(door: Joining["door"], waits?: Joining["waits"]): CallState {
  return { kind: "joining", door, waits };
}

function reconnecting(part: Partial<Reconnecting>): CallState {
  const state = { door: "closed", waits: undefined, media: "up", resumes: true } as const;
  return { kind: "reconnecting", ...state, sinceMs: 5, attempt: 1, ...part };
}

const press: CallInput = { kind: "joinPressed" };
const up: CallInput = { kind: "socketUp" };
const down: CallInput = { kind: "socketDown", atMs: 5 };
const atDoor: CallInput = { kind: "atDoor" };
const admitted: CallInput = { kind: "admitted" };
const mediaUp: CallInput = { kind: "mediaUp" };
const mediaLost: CallInput = { kind: "mediaLost", atMs: 5 };
const patienceEnded: CallInput = { kind: "patienceEnded" };
const removed: CallInput = { kind: "stopped", reason: { kind: "removed" } };

function resumed(part: Partial<Extract<CallInput, { kind: "resumed" }>> = {}): CallInput {
  return { kind: "resumed", mediaAlive: true, answered: false, ...part };
}

function waits(why: Joining["waits"]): CallInput {
  return { kind: "waits", why, atMs: 5 };
}

function refused(code: Extract<CallInput, { kind: "refused" }>["code"]): CallInput {
  return { kind: "refused", code, atMs: 5 };
}

const joins: CallEffect = { kind: "enter", resume: false, media: "offer" };
const renews: CallEffect = { kind: "renewMedia", delayMs: 0 };
const close: CallEffect = { kind: "close" };
const says: CallEffect = { kind: "sendLeave" };
const forgetsStay: CallEffect = { kind: "forgetStay" };

type Row = readonly [string, CallState, CallInput, CallState, readonly CallEffect[]];

const ROWS: readonly Row[] = [
  ["Join asks at once where the socket is up", ready, press, joining("asked"), [joins]],
  ["Join waits for the socket", unready, press, joining("closed"), []],
  ["and asks when it is up", joining("closed"), up, joining("asked"), [joins]],
  ["a socket lost while asking is asked again", joining("asked"), down, joining("closed"), []],
  [
    "the server's yes leads to the door, no further",
    joining("asked"),
    atDoor,
    joining("outside"),
    [],
  ],
  [
    "at the door somebody may have to open",
    joining("outside"),
    waits("host"),
    joining("outside", "host"),
    [],
  ],
  ["and may do so", joining("outside", "host"), waits(undefined), joining("outside"), []],
  [
    "a socket lost at the door is no reason to ask again why",
    joining("outside", "host"),
    down,
    joining("closed", "host"),
    [],
  ],
  [
    "who comes back to the door is still a newcomer",
    joining("closed", "host"),
    up,
    joining("asked", "host"),
    [joins],
  ],
  ["media is offered by who is admitted", joining("outside"), admitted, connecting, [renews]],
  ["and by nobody before", joining("asked"), admitted, joining("asked"), []],
  [
    "a session is resumed by who had one",
    joining("asked"),
    resumed({ answered: true }),
    joining("asked"),
    [],
  ],
  ["media comes up in the call", connecting, mediaUp, inCall, []],
  ["a second press of Join does nothing", joining("asked"), press, joining("asked"), []],
  ["a full meeting refuses", joining("asked"), refused("meetingFull"), end("meetingFull"), [close]],
  [
    "a wrong link is told before Join",
    ready,
    refused("unknownMeeting"),
    end("unknownMeeting"),
    [close],
  ],
  [
    "a changed policy stops everything",
    ready,
    { kind: "stopped", reason: { kind: "policyMismatch" } },
    { kind: "ended", reason: { kind: "policyMismatch" } },
    [close, forgetsStay],
  ],
  [
    "who is turned away goes",
    joining("outside", "admission"),
    { kind: "stopped", reason: { kind: "denied" } },
    { kind: "ended", reason: { kind: "denied" } },
    [says, close, forgetsStay],
  ],
  [
    "who is removed goes",
    inCall,
    removed,
    { kind: "ended", reason: { kind: "removed" } },
    [says, close, forgetsStay],
  ],
  [
    "a server in a hurry is not a refusal",
    joining("asked"),
    refused("draining"),
    joining("asked"),
    [],
  ],
  ["a slip in the call does not end it", inCall, refused("badMessage"), inCall, []],
  ["a pool that may not grow does not end it", inCall, refused("badOffer"), inCall, []],
  [
    "a first offer that is refused is made again",
    connecting,
    refused("badOffer"),
    reconnecting({ door: "inside", media: "connecting" }),
    [renews],
  ],
  [
    "a call that carries no more media is full",
    connecting,
    refused("meetingFull"),
    end("meetingFull"),
    [says, close, forgetsStay],
  ],
  ["who is admitted anew needs new media", inCall, admitted, connecting, [renews]],
  [
    "who comes in anew may have to wait",
    inCall,
    waits("admission"),
    reconnecting({ door: "outside", waits: "admission", media: "lost", resumes: false }),
    [],
  ],
  [
    "and is let in",
    reconnecting({ door: "outside", media: "lost", resumes: false }),
    admitted,
    connecting,
    [renews],
  ],
  [
    "media of before says nothing at the door",
    reconnecting({ door: "outside", media: "lost" }),
    mediaUp,
    reconnecting({ door: "outside", media: "lost" }),
    [],
  ],
  ["a lost socket leaves media running", inCall, down, reconnecting({}), []],
  [
    "and comes back keeping it",
    reconnecting({}),
    up,
    reconnecting({ door: "asked" }),
    [{ kind: "enter", resume: true, media: "keep" }],
  ],
  ["to where it was", reconnecting({ door: "asked" }), resumed(), inCall, []],
  [
    "a restarted server has no media to keep",
    reconnecting({ door: "asked" }),
    resumed({ mediaAlive: false }),
    reconnecting({ door: "inside", media: "connecting" }),
    [renews],
  ],
  [
    "new media ends the reconnection",
    reconnecting({ door: "inside", media: "connecting" }),
    mediaUp,
    inCall,
    [],
  ],
  [
    "media lost with the socket open is offered anew",
    inCall,
    mediaLost,
    reconnecting({ door: "inside", media: "connecting" }),
    [renews],
  ],
  [
    "and again, after a pause",
    reconnecting({ door: "inside", media: "connecting" }),
    mediaLost,
    reconnecting({ door: "inside", media: "connecting", attempt: 2 }),
    [{ kind: "renewMedia", delayMs: 250 }],
  ],
  [
    "a refused new offer is tried again too",
    reconnecting({ door: "inside", media: "connecting" }),
    refused("badOffer"),
    reconnecting({ door: "inside", media: "connecting", attempt: 2 }),
    [{ kind: "renewMedia", delayMs: 250 }],
  ],
  [
    "media lost while outside waits",
    reconnecting({}),
    mediaLost,
    reconnecting({ media: "lost" }),
    [],
  ],
  [
    "and comes with the next entry",
    reconnecting({ media: "lost" }),
    up,
    reconnecting({ door: "asked", media: "connecting" }),
    [{ kind: "enter", resume: true, media: "offer" }],
  ],
  [
    "each failed try counts",
    reconnecting({ door: "asked", media: "connecting" }),
    down,
    reconnecting({ media: "lost", attempt: 2 }),
    [],
  ],
  [
    "a session that ended while away is joined anew",
    reconnecting({ door: "asked" }),
    refused("resumeRefused"),
    reconnecting({ door: "asked", media: "lost", resumes: false }),
    [joins],
  ],
  [
    "as a newcomer, at the door",
    reconnecting({ door: "asked", media: "up", resumes: false }),
    atDoor,
    reconnecting({ door: "outside", media: "lost", resumes: false }),
    [],
  ],
  [
    "another tab took the session",
    inCall,
    refused("replaced"),
    { kind: "ended", reason: { kind: "replaced" } },
    [close],
  ],
  [
    "nobody waits for ever",
    reconnecting({}),
    patienceEnded,
    { kind: "ended", reason: { kind: "unreachable" } },
    [close],
  ],
  [
    "but for a door that somebody opens",
    joining("outside", "host"),
    patienceEnded,
    joining("outside", "host"),
    [],
  ],
  ["leaving says so", inCall, { kind: "leavePressed" }, left, [says, close, { kind: "forget" }]],
  [
    "leaving before joining is quiet",
    ready,
    { kind: "leavePressed" },
    left,
    [close, { kind: "forget" }],
  ],
  [
    "what was left can be entered again",
    left,
    { kind: "rejoinPressed" },
    joining("closed"),
    [{ kind: "openSocket" }],
  ],
  ["late news does not revive a call", left, admitted, left, []],
  ["nor does late media", left, mediaLost, left, []],
  ["nor an old timer", left, patienceEnded, left, []],
  ["nor a late end", left, removed, left, []],
];

function end(code: Extract<CallInput, { kind: "refused" }>["code"]): CallState {
  return { kind: "ended", reason: { kind: "refused", code } };
}

test.each(ROWS)("%s", (_name, state, input, expected, effects) => {
  expect(step(state, input)).toEqual([expected, effects]);
});

test("the pause between media offers grows, and not for ever", () => {
  const delays = [1, 2, 3, 4, 5, 6, 40].map((attempt) => {
    const [, [effect]] = step(
      reconnecting({ door: "inside", media: "connecting", attempt }),
      mediaLost,
    );
    return effect?.kind === "renewMedia" ? effect.delayMs : undefined;
  });
  expect(delays).toEqual([250, 500, 1000, 2000, 4000, 4000, 4000]);
});

describe("patience", () => {
  const ms = (state: CallState): number | undefined => {
    const patience = patienceOf(state);
    return patience === undefined ? undefined : PATIENCE_MS[patience];
  };

  test("has an end while something is awaited, and only then", () => {
    expect(
      [ready, joining("asked"), joining("outside"), inCall, reconnecting({}), left].map(ms),
    ).toEqual([undefined, 30_000, 30_000, undefined, 120_000, undefined]);
  });

  test("has none where somebody must open, and is long on the way back there", () => {
    expect(ms(joining("outside", "admission"))).toBeUndefined();
    expect(ms(reconnecting({ door: "outside", waits: "host" }))).toBeUndefined();
    expect(ms(joining("closed", "admission"))).toBe(120_000);
  });
});
