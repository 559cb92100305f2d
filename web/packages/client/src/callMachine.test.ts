import { describe, expect, test } from "vitest";

import { type CallEffect, type CallInput, type CallState, patienceMs, step } from "./callMachine";

const ready: CallState = { kind: "preparing", socket: "up" };
const unready: CallState = { kind: "preparing", socket: "down" };
const asking: CallState = { kind: "joining", door: "asked", resumeToken: undefined };
const outside: CallState = { kind: "joining", door: "closed", resumeToken: undefined };
const inCall: CallState = { kind: "inCall", resumeToken: "t", media: "up" };
const left: CallState = { kind: "ended", reason: { kind: "left" } };

type Reconnecting = Extract<CallState, { kind: "reconnecting" }>;

function reconnecting(part: Partial<Reconnecting>): CallState {
  const state = { door: "closed", media: "up", resumeToken: "t", sinceMs: 5, attempt: 1 } as const;
  return { kind: "reconnecting", ...state, ...part };
}

const press: CallInput = { kind: "joinPressed", resumeToken: undefined };
const up: CallInput = { kind: "socketUp" };
const down: CallInput = { kind: "socketDown", atMs: 5 };
const mediaUp: CallInput = { kind: "mediaUp" };
const mediaLost: CallInput = { kind: "mediaLost", atMs: 5 };
const patienceEnded: CallInput = { kind: "patienceEnded" };

function joined(part: Partial<Extract<CallInput, { kind: "joined" }>> = {}): CallInput {
  return { kind: "joined", resumeToken: "t2", mediaAlive: true, answered: false, ...part };
}

function refused(code: Extract<CallInput, { kind: "refused" }>["code"]): CallInput {
  return { kind: "refused", code, fatal: true };
}

const joins: CallEffect = { kind: "enter", resumeToken: undefined, media: "offer" };
const renews: CallEffect = { kind: "renewMedia", delayMs: 0 };
const close: CallEffect = { kind: "close" };

type Row = readonly [string, CallState, CallInput, CallState, readonly CallEffect[]];

const ROWS: readonly Row[] = [
  ["Join asks at once where the socket is up", ready, press, asking, [joins]],
  ["Join waits for the socket", unready, press, outside, []],
  ["and asks when it is up", outside, up, asking, [joins]],
  [
    "a reloaded page takes its session up again",
    ready,
    { kind: "joinPressed", resumeToken: "t" },
    { kind: "joining", door: "asked", resumeToken: "t" },
    [{ kind: "enter", resumeToken: "t", media: "offer" }],
  ],
  [
    "a session that is gone is joined anew on the same socket",
    { kind: "joining", door: "asked", resumeToken: "t" },
    refused("resumeRefused"),
    asking,
    [joins],
  ],
  ["a socket lost while asking is asked again", asking, down, outside, []],
  [
    "the answer lets us in",
    asking,
    joined({ answered: true }),
    { kind: "inCall", resumeToken: "t2", media: "connecting" },
    [],
  ],
  ["media comes up in the call", { ...inCall, media: "connecting" }, mediaUp, inCall, []],
  ["a second press of Join does nothing", asking, press, asking, []],
  ["a full meeting refuses", asking, refused("meetingFull"), end("meetingFull"), [close]],
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
    { kind: "policyMismatch" },
    { kind: "ended", reason: { kind: "policyMismatch" } },
    [close],
  ],
  ["a server in a hurry is not a refusal", asking, refused("draining"), asking, []],
  ["a slip in the call does not end it", inCall, refused("badMessage"), inCall, []],
  ["a pool that may not grow does not end it", inCall, refused("badOffer"), inCall, []],
  ["a lost socket leaves media running", inCall, down, reconnecting({}), []],
  [
    "and comes back keeping it",
    reconnecting({}),
    up,
    reconnecting({ door: "asked" }),
    [{ kind: "enter", resumeToken: "t", media: "keep" }],
  ],
  [
    "to where it was",
    reconnecting({ door: "asked" }),
    joined(),
    { kind: "inCall", resumeToken: "t2", media: "up" },
    [],
  ],
  [
    "a restarted server has no media to keep",
    reconnecting({ door: "asked" }),
    joined({ mediaAlive: false }),
    reconnecting({ door: "inside", resumeToken: "t2", media: "connecting" }),
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
    [{ kind: "enter", resumeToken: "t", media: "offer" }],
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
    reconnecting({ door: "asked", media: "connecting", resumeToken: undefined }),
    [joins],
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
    "leaving says so",
    inCall,
    { kind: "leavePressed" },
    left,
    [{ kind: "sendLeave" }, close, { kind: "forget" }],
  ],
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
    outside,
    [{ kind: "openSocket" }],
  ],
  ["late news does not revive a call", left, joined(), left, []],
  ["nor does late media", left, mediaLost, left, []],
  ["nor an old timer", left, patienceEnded, left, []],
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
  test("has an end while something is awaited, and only then", () => {
    expect([ready, asking, inCall, reconnecting({}), left].map(patienceMs)).toEqual([
      undefined,
      20_000,
      undefined,
      120_000,
      undefined,
    ]);
  });
});
