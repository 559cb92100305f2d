import type {
  ClientMessage,
  GroupCommand,
  GroupEvent,
  GroupRequest,
  MuteWhat,
  PublicationInfo,
  ServerMessage,
  TrackSource,
} from "@conclave/wire";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import {
  admittedTo,
  answerTo,
  type Harness,
  inGroup,
  joinedAs,
  ME,
  makeHarness,
  openHarness,
  outside,
  type Someone,
  someone,
} from "./callHarness";
import type { CallSnapshot } from "./snapshot";

let world: Harness;

const shot = (): CallSnapshot => world.call.snapshot();
const noticeKinds = (): string[] => shot().notices.map(({ kind }) => kind);
const publication = (id: number, source: TrackSource): PublicationInfo => ({ id, source });

async function tell(event: GroupEvent): Promise<void> {
  world.member().options.events.onEvent(event);
  await world.settle();
}

function ask(request: GroupRequest): void {
  world.member().options.events.onRequest(request);
}

const requests = (): GroupRequest[] => world.said("group").map(({ request }) => request);

beforeEach(async () => {
  vi.useFakeTimers({
    toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date"],
  });
  world = await makeHarness();
});

afterEach(() => {
  world.call.dispose();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("a browser that cannot encrypt media", () => {
  test("is told so, and nothing is sent or asked", async () => {
    world.call.dispose();
    world = await makeHarness({ isSupported: () => false });
    const ended = { kind: "ended", reason: { kind: "unsupported" } };
    expect(shot().phase).toEqual(ended);
    world.call.join();
    world.call.rejoin();
    await world.up();
    expect(shot().phase).toEqual(ended);
    expect([world.sent, world.members, world.peers]).toEqual([[], [], []]);
    expect(shot().title).toBe("");
  });
});

describe("the member", () => {
  test("goes to the door, made of what the link and the meeting say", async () => {
    await world.up();
    world.call.join();
    await world.settle();
    expect(world.member().name).toBeUndefined();
    await world.say(joinedAs({}));
    const { link } = world;
    expect(world.member().options).toMatchObject({
      meeting: link.id,
      digest: link.policyDigest,
      constitution: '{"hostKey":"a key"}',
      hostKey: undefined,
      previous: undefined,
    });
    expect(world.member().options.secret).toHaveLength(43);
    expect(world.member().name).toBe("Ada");
  });

  test("gets the host key that the meeting names, where this device has it", async () => {
    const key = { type: "private" } as CryptoKey;
    world.call.dispose();
    const find = vi.fn(async () => key);
    world = await makeHarness({ hostKeys: { find } });
    await world.knock();
    expect(find).toHaveBeenCalledWith(world.link.id, "a key");
    expect(world.member().options.hostKey).toBe(key);
  });

  test("talks with the server about the group, from the door on", async () => {
    await world.knock();
    const news = { type: "meeting", serverKey: "k", hasGroup: true, hasAdmitter: true } as const;
    await world.say({ type: "group", news });
    expect(world.member().heard).toEqual([news]);
    ask({ type: "knock", keyPackage: "p" });
    expect(world.sent.at(-1)).toEqual({
      type: "group",
      request: { type: "knock", keyPackage: "p" },
    });
  });

  test("keeps its name for the stay", async () => {
    world.call.setName("Grace");
    await world.knock();
    world.call.setName("Eve");
    expect(world.member().name).toBe("Grace");
    expect(shot().self.name).toBe("Grace");
  });

  test("whose worker died ends the call; joining anew makes another", async () => {
    await world.enter();
    world.member().options.events.onCrashed();
    expect(shot().phase).toEqual({ kind: "ended", reason: { kind: "crashed" } });
    expect(world.sent.at(-1)).toEqual({ type: "leave" });
    expect(world.peer().closed).toBe(true);
    world.call.rejoin();
    await world.up();
    await world.say(joinedAs({}));
    expect(world.members).toHaveLength(2);
  });

  test("that was closed changes nothing any more", async () => {
    await world.enter([someone(1, "A")]);
    world.call.leave();
    await world.show(inGroup([someone(1, "A")]));
    ask({ type: "ready", epoch: 2 });
    world.member().options.events.onCrashed();
    expect(shot()).toMatchObject({ phase: { reason: { kind: "left" } }, others: [] });
    expect(sessionStorage.length).toBe(0);
  });
});

describe("the door", () => {
  const media = (message: ClientMessage): boolean =>
    ["offer", "publish", "view", "presence"].includes(message.type);

  test("nothing of media is said before it opens, whatever happens there", async () => {
    await world.call.prepare({ microphone: true, camera: false });
    await world.knock();
    await world.show(outside("knocking"));
    world.call.setCamera(true);
    world.call.setMicrophone(false);
    world.call.setView([{ publication: 1, width: 1, height: 1, priority: "tile" }]);
    await world.say({ type: "answer", answer: answerTo(1, "early") });
    world.peer().options.events.onLost();
    vi.advanceTimersByTime(5_000);
    await world.settle();
    // The group has this device before the server says so.
    await world.show(inGroup([someone(1, "A", { publications: [publication(9, "camera")] })]));
    world.call.setCamera(false);
    expect(world.sent.filter(media)).toEqual([]);
    await world.say({ type: "admitted", admitted: admittedTo([]) });
    expect(world.sent.filter(media).map(({ type }) => type)).toEqual(["offer", "presence", "view"]);
  });

  test.each([
    ["before the group has it", "knocking", 5],
    ["at another leaf than the group has it", "inGroup", 6],
  ] as const)("whom the server calls admitted %s waits", async (_, state, announced) => {
    await world.knock();
    const view = inGroup([someone(1, "A")], { ownLeaf: 5 });
    await world.show(state === "inGroup" ? view : outside(state));
    await world.say({ type: "admitted", admitted: admittedTo([someone(1, "A")], announced) });
    expect(shot().phase.kind).not.toBe("inCall");
    expect(world.said("offer")).toEqual([]);
    // As soon as both say the same, it is in.
    await world.show(inGroup([someone(1, "A")], { ownLeaf: announced }));
    expect(shot().phase.kind).toBe("inCall");
    expect(world.said("offer")).toHaveLength(1);
  });

  test("what is made ahead is the stay's own, and goes to nobody before it", async () => {
    await world.call.prepare({ microphone: true, camera: true });
    await world.up();
    await world.settle();
    expect(world.peers.map(({ options }) => options.member)).toEqual(world.members);
    expect(world.members.map(({ name }) => name)).toEqual([undefined]);
    world.call.join();
    await world.settle();
    await world.say({ type: "admitted", admitted: admittedTo([]) });
    expect(world.said("offer")).toEqual([]);
    await world.say(joinedAs({ admitted: admittedTo([]) }));
    expect(world.members.map(({ name }) => name)).toEqual(["Ada"]);
    expect(world.peers).toHaveLength(1);
  });

  test("that died before anybody joined is replaced, and so is its media session", async () => {
    await world.up();
    await world.settle();
    world.member().options.events.onCrashed();
    expect(shot().phase).toEqual({ kind: "preparing" });
    await world.enter();
    expect(world.members.map(({ name }) => name)).toEqual([undefined, "Ada"]);
    expect(world.peers.map(({ closed }) => closed)).toEqual([true, false]);
    expect(world.peer().options.member).toBe(world.member());
    expect(world.said("offer")).toHaveLength(1);
  });

  test("waiting is shown when it lasts", async () => {
    await world.knock();
    await world.show(outside("knocking"));
    vi.advanceTimersByTime(500);
    expect(shot().phase).toEqual({ kind: "joining" });
    vi.advanceTimersByTime(200);
    expect(shot().phase).toEqual({ kind: "waiting", why: "admission" });
    await world.admit();
    expect(shot().phase).toEqual({ kind: "inCall" });
  });

  test("a door that opens at once is not waited at", async () => {
    await world.knock();
    await world.show(outside("knocking"));
    vi.advanceTimersByTime(400);
    await world.show(outside("comingIn"));
    vi.advanceTimersByTime(2_000);
    expect(shot().phase).toEqual({ kind: "joining" });
  });

  test("a host is waited for as long as it takes, over a lost connection too", async () => {
    await world.knock();
    await world.show(outside("waitingForHost"));
    vi.advanceTimersByTime(3_600_000);
    expect(shot().phase).toEqual({ kind: "waiting", why: "host" });
    world.down();
    expect(shot().phase).toEqual({ kind: "waiting", why: "host" });
    await world.up();
    expect(world.said("join")).toHaveLength(2);
    expect(world.said("resume")).toEqual([]);
    await world.say(joinedAs({ participant: 9 }));
    expect(world.members).toHaveLength(1);
    expect(world.member().reconnections).toBe(1);
    expect(shot().phase).toEqual({ kind: "waiting", why: "host" });
    await world.admit();
    expect(shot().phase).toEqual({ kind: "inCall" });
  });

  test("a door at which nothing happens is given up", async () => {
    await world.knock();
    vi.advanceTimersByTime(31_000);
    expect(shot().phase).toEqual({ kind: "ended", reason: { kind: "unreachable" } });
  });

  test.each(["denied", "over", "removed"] as const)(
    "who is %s is told, and may ask again",
    async (state) => {
      await world.knock();
      await world.show(outside(state));
      expect(shot().phase).toEqual({ kind: "ended", reason: { kind: state } });
      expect(world.member().closed).toBe(true);
      world.call.rejoin();
      await world.up();
      await world.say(joinedAs({ participant: 8 }));
      expect(world.members).toHaveLength(2);
    },
  );

  test("what could not be verified ends it, and says which", async () => {
    await world.knock();
    await world.show(outside("failedInviter"));
    expect(shot().phase).toEqual({
      kind: "ended",
      reason: { kind: "unverified", state: "failedInviter" },
    });
    expect(world.said("offer")).toEqual([]);
  });

  test("who was removed comes back by asking, not by a reload alone", async () => {
    await world.enter();
    await world.show(outside("removed"));
    expect(shot().phase).toEqual({ kind: "ended", reason: { kind: "removed" } });
    expect(world.peer().closed).toBe(true);
    expect(Object.keys(sessionStorage).some((key) => key.includes("session"))).toBe(false);
    expect(Object.keys(sessionStorage).some((key) => key.includes("link"))).toBe(true);
  });

  test("who comes in anew gets a new media session", async () => {
    await world.enter([someone(1, "A")]);
    world.call.rejoinGroup();
    expect(world.member().commands).toEqual([{ type: "rejoin" }]);
    await world.show(outside("knocking"));
    vi.advanceTimersByTime(700);
    expect(shot().phase).toEqual({ kind: "waiting", why: "admission" });
    expect(shot().others).toEqual([]);
    await world.show(inGroup([someone(1, "A")], { ownCredential: "anew", ownLeaf: 5 }));
    await world.say({ type: "admitted", admitted: admittedTo([someone(1, "A")], 5) });
    expect(world.peers.map(({ generation, closed }) => [generation, closed])).toEqual([
      [1, true],
      [2, false],
    ]);
    expect(world.members).toHaveLength(1);
    expect(shot()).toMatchObject({ phase: { kind: "inCall" }, self: { id: "anew" } });
    expect(noticeKinds().filter((kind) => kind === "left" || kind === "joined")).toEqual([]);
  });

  test("a member that has no leaf to sign with joins anew, and stays the same", async () => {
    await world.enter();
    world.member().signs = false;
    await world.show(outside("comingIn"));
    world.down();
    await world.up();
    expect(world.said("resume")).toEqual([]);
    expect(world.said("join")).toHaveLength(2);
    await world.say(joinedAs({ participant: 8 }));
    expect(world.members).toHaveLength(1);
    expect(world.member().reconnections).toBe(1);
    await world.admit();
    expect(world.said("offer").map(({ offer }) => offer.generation)).toEqual([1, 2]);
  });
});

describe("a node", () => {
  test("is asked to relay before paths are looked for, by ways that it must have stated", async () => {
    const ways = [{ protocol: "tls", port: 443 } as const];
    const relay = { ways, username: "1800000000:tag", password: "secret" };
    await world.knock();
    await world.show(inGroup([]));
    await world.say({ type: "admitted", admitted: admittedTo([], undefined, relay) });
    expect(world.peer().offeredBy).toEqual(relay);

    await world.say({ type: "answer", answer: answerTo(1, "answer") });
    expect(world.member().verified.at(-1)?.[1]).toEqual(["tls 443"]);

    world.peer().options.events.onLost();
    await world.settle();
    expect(world.peers.at(-1)?.generation).toBe(2);
    expect(world.peer().offeredBy).toEqual(relay);
  });

  test("that the meeting does not allow gets no media", async () => {
    await world.knock();
    await world.admit();
    world.member().fault = "fingerprint";
    const answer = answerTo(1, "elsewhere");
    await world.say({ type: "answer", answer });
    expect(world.member().verified).toEqual([["elsewhere", [], answer.statement]]);
    expect(world.peer().answers).toEqual([]);
    expect(world.peer().closed).toBe(true);
    expect(shot().phase).toEqual({
      kind: "ended",
      reason: { kind: "nodeRefused", fault: "fingerprint" },
    });
  });

  test("of an earlier session is not asked about", async () => {
    await world.enter();
    world.peer().options.events.onLost();
    await world.settle();
    world.member().fault = "signature";
    await world.say({ type: "answer", answer: answerTo(1, "late") });
    expect(shot().phase.kind).toBe("reconnecting");
  });
});

describe("what could not be sent", () => {
  test("is sent after the session was resumed, if nobody would say it again", async () => {
    await world.enter();
    const before = requests().length;
    world.down();
    ask({ type: "app", message: "one" });
    ask({ type: "commit", commit: "c", welcome: null, groupInfo: "g" });
    ask({ type: "ready", epoch: 2 });
    await world.up();
    ask({ type: "app", message: "two" });
    expect(requests()).toHaveLength(before);
    await world.say(joinedAs({ admitted: admittedTo([]) }));
    expect(requests().slice(before)).toEqual([
      { type: "app", message: "one" },
      { type: "ready", epoch: 2 },
      { type: "app", message: "two" },
    ]);
  });

  test("is gone with its leaf", async () => {
    await world.enter();
    world.down();
    ask({ type: "app", message: "of the old leaf" });
    await world.up();
    await world.say({ type: "error", code: "resumeRefused", detail: "", fatal: false });
    await world.say(joinedAs({ participant: 8 }));
    await world.admit([], { ownCredential: "new" });
    expect(requests()).toEqual([]);
  });
});

describe("who is there", () => {
  test("is the tree's word: of the server's list, only what is on its leaves is shown", async () => {
    const ada = someone(1, "Ada", { publications: [publication(10, "camera")] });
    const ghost = someone(2, "Ghost", { publications: [publication(20, "camera")] });
    await world.knock();
    await world.show(inGroup([ada]));
    await world.say({ type: "admitted", admitted: admittedTo([ada, ghost]) });
    await world.say({ type: "speakers", active: 2, speaking: [2] });
    expect(shot().others.map(({ name }) => name)).toEqual(["Ada"]);
    expect(shot().activeSpeaker).toBeUndefined();
    world.call.setView([{ publication: 20, width: 9, height: 9, priority: "tile" }]);
    vi.advanceTimersByTime(200);
    expect(world.said("view").at(-1)?.wants).toEqual([]);
  });

  test("is shown without the server's word, as somebody not connected", async () => {
    await world.enter();
    await world.show(inGroup([someone(4, "Silent")]));
    expect(shot().others).toMatchObject([
      { id: "c4", participant: undefined, connected: false, quality: "lost", muted: true },
    ]);
  });

  test("has the name and the role of the tree, and what hosts decided", async () => {
    const boss = someone(1, "Boss\u202e", {}, { role: "host", proof: "hostKey" });
    await world.enter([boss]);
    const mutes = [{ credential: "c1", what: "camera" as MuteWhat }];
    await world.show(inGroup([boss], { order: { locked: true, mutes } }));
    expect(shot().others[0]).toMatchObject({
      name: "Boss",
      role: "host",
      proof: "hostKey",
      forbidden: ["camera"],
    });
    expect(shot().group.locked).toBe(true);
  });

  test("comes in the order of coming, whichever leaf is free", async () => {
    await world.enter([someone(3, "First")]);
    await world.show(inGroup([someone(2, "Second"), someone(3, "First")]));
    await world.show(inGroup([someone(1, "Third"), someone(2, "Second"), someone(3, "First")]));
    expect(shot().others.map(({ name }) => name)).toEqual(["First", "Second", "Third"]);
  });

  test("is a newcomer for a minute", async () => {
    const late = someone(2, "Late", {}, { arrived: true });
    await world.enter();
    await world.show(inGroup([late]));
    expect(shot().others[0]?.arrived).toBe(true);
    let told = 0;
    world.call.subscribe(() => {
      told += 1;
    });
    await vi.advanceTimersByTimeAsync(60_001);
    expect(told).toBeGreaterThan(0);
    expect(shot().others[0]?.arrived).toBe(false);
  });

  test("of two participants on one leaf, the newest", async () => {
    const old = someone(1, "A", { publications: [publication(10, "camera")] });
    const fresh = someone(9, "A", { leaf: 1, publications: [publication(11, "camera")] });
    await world.knock();
    await world.show(inGroup([old]));
    await world.say({ type: "admitted", admitted: admittedTo([fresh, old]) });
    expect(shot().others).toMatchObject([{ participant: 9, camera: { publication: 11 } }]);
  });
});

describe("slots", () => {
  const ada = someone(1, "Ada", {
    publications: [publication(10, "camera"), publication(11, "microphone")],
  });
  const bob = someone(2, "Bob", { publications: [publication(20, "camera")] });

  const slots = (...carried: readonly (readonly [string, number])[]): ServerMessage => ({
    type: "slots",
    generation: 1,
    audio: [{ mid: "5", publication: 11 }],
    video: carried.map(([mid, id]) => ({ mid, publication: id, paused: false })),
  });

  const roster = (...people: readonly Someone[]): ServerMessage => ({
    type: "roster",
    present: people.map(({ info }) => info),
    left: [],
  });

  const live = async (mid: string): Promise<void> => {
    world.peer().frames.set(mid, (world.peer().frames.get(mid) ?? 0) + 1);
    await vi.advanceTimersByTimeAsync(1_100);
  };

  const pictures = (): (string | undefined)[] =>
    shot().others.map(({ camera }) => camera && (camera.stream ? camera.state : "none"));

  test("may carry the frames of one leaf and source each", async () => {
    await world.enter([ada, bob]);
    await world.say(slots(["8", 10], ["9", 20]));
    expect(world.member().assigned).toEqual([
      [
        { generation: 1, kind: "audio", index: 1, leaf: 1, source: "microphone" },
        { generation: 1, kind: "video", index: 0, leaf: 1, source: "camera" },
        { generation: 1, kind: "video", index: 1, leaf: 2, source: "camera" },
      ],
    ]);
    await world.say(slots(["8", 10]));
    expect(world.member().assigned.at(-1)).toHaveLength(2);
  });

  test("open for nobody until it is known whose they are", async () => {
    await world.enter();
    await world.say(slots(["8", 10]));
    expect(world.member().assigned.at(-1) ?? []).toEqual([]);
    await world.say(roster(ada));
    expect(world.member().assigned.at(-1) ?? []).toEqual([]);
    await world.show(inGroup([ada]));
    expect(world.member().assigned.at(-1)).toHaveLength(2);
  });

  test("carry no picture where sound belongs", async () => {
    await world.enter([ada, bob]);
    await world.say({
      type: "slots",
      generation: 1,
      audio: [{ mid: "5", publication: 20 }],
      video: [{ mid: "8", publication: 11, paused: false }],
    });
    expect(world.member().assigned.at(-1) ?? []).toEqual([]);
  });

  test("do not show one person's picture as another's, though the server says it is both's", async () => {
    await world.enter([ada, bob]);
    await world.say(slots(["8", 10]));
    await live("8");
    expect(pictures()).toEqual(["live", "none"]);
    await world.say(roster(someone(2, "Bob", { publications: [publication(10, "camera")] })));
    expect(pictures()).toEqual([undefined, undefined]);
    expect(world.member().assigned.at(-1)).toEqual([
      { generation: 1, kind: "audio", index: 1, leaf: 1, source: "microphone" },
    ]);
  });

  test("that change owners show nothing until the new owner's first frame", async () => {
    await world.enter([ada, bob]);
    await world.say(slots(["8", 10]));
    await live("8");
    await world.say(
      roster(
        someone(1, "Ada", { publications: [] }),
        someone(2, "Bob", { publications: [publication(10, "camera")] }),
      ),
    );
    await vi.advanceTimersByTimeAsync(1_100);
    expect(pictures()).toEqual([undefined, "waiting"]);
    await live("8");
    expect(pictures()).toEqual([undefined, "live"]);
  });

  test("so do those whose leaf is another person's now", async () => {
    await world.enter([ada]);
    await world.say(slots(["8", 10]));
    await live("8");
    await world.show(inGroup([someone(1, "Eve", {}, { credential: "eve" })]));
    await vi.advanceTimersByTimeAsync(1_100);
    expect(pictures()).toEqual(["waiting"]);
  });
});

describe("what a host forbids", () => {
  const order = (...whats: readonly MuteWhat[]) => ({
    order: { locked: false, mutes: whats.map((what) => ({ credential: ME, what })) },
  });
  const published = (): string[] | undefined =>
    world
      .said("publish")
      .at(-1)
      ?.tracks.map(({ source }) => source);

  test("is switched off, withdrawn and told", async () => {
    await world.call.prepare({ microphone: true, camera: true });
    await world.enter();
    world.screen = { kind: "on", stream: new MediaStream(), withAudio: true };
    world.screenEvents?.onChange();
    expect(published()).toEqual(["microphone", "camera", "screen", "screenAudio"]);

    await world.show(inGroup([], order("microphone")));
    expect(published()).toEqual(["camera", "screen", "screenAudio"]);
    expect(world.said("presence").at(-1)?.presence).toEqual({ muted: true });
    expect(world.peer().sending.get("microphone")).toBeUndefined();
    expect(shot().notices).toMatchObject([{ kind: "forbidden", what: "microphone" }]);
    expect(shot().self.forbidden).toEqual(["microphone"]);

    await world.show(inGroup([], order("microphone", "camera", "screen")));
    expect(published()).toEqual([]);
    expect([...world.devices.on]).toEqual([]);
    expect(world.screen.kind).toBe("off");
  });

  test("cannot be switched on, until it is allowed again", async () => {
    await world.call.prepare({ microphone: true, camera: false });
    await world.enter();
    await world.show(inGroup([], order("microphone", "camera")));
    world.call.setMicrophone(true);
    world.call.setCamera(true);
    expect([...world.devices.on]).toEqual([]);
    await world.show(inGroup([], order("camera")));
    expect(shot().notices).toMatchObject([
      { kind: "forbidden", what: "camera" },
      { kind: "allowed", what: "microphone" },
    ]);
    world.call.setMicrophone(true);
    expect(published()).toEqual(["microphone"]);
    expect(world.said("presence").at(-1)?.presence).toEqual({ muted: false });
  });

  test("another person is not one's own business", async () => {
    await world.call.prepare({ microphone: true, camera: false });
    await world.enter([someone(1, "A")]);
    const mutes = [{ credential: "c1", what: "microphone" as MuteWhat }];
    await world.show(inGroup([someone(1, "A")], { order: { locked: false, mutes } }));
    expect(noticeKinds()).toEqual([]);
    expect([...world.devices.on]).toEqual(["microphone"]);
  });
});

describe("commands", () => {
  test("are the member's to carry out", async () => {
    await world.enter([someone(1, "A")]);
    const { call } = world;
    call.admit(5);
    call.deny(6);
    call.kick("c1");
    call.appoint("c1", "coHost");
    call.forbid("c1", "camera", true);
    call.askToMute("c1");
    call.askToMute(undefined);
    call.lock(true);
    call.codeCompared();
    expect(world.member().commands).toEqual([
      { type: "admit", knocker: 5 },
      { type: "deny", knocker: 6 },
      { type: "kick", credential: "c1" },
      { type: "appoint", credential: "c1", role: "coHost" },
      { type: "mute", credential: "c1", what: "camera", on: true },
      { type: "say", say: { type: "askMute", credential: "c1" } },
      { type: "say", say: { type: "askMute", credential: null } },
      { type: "lock", locked: true },
      { type: "codeCompared" },
    ] satisfies GroupCommand[]);
  });

  test("that cannot be done are told", async () => {
    world.call.kick("c1");
    expect(noticeKinds()).toEqual(["notDone"]);
    await world.enter();
    await tell({ type: "notDone", why: "refused" });
    expect(noticeKinds()).toEqual(["notDone"]);
  });

  test("knocks, code and shield are shown as they are", async () => {
    await world.enter();
    const knocks = [{ knocker: 5, name: "Eve", hostProven: false, nameShared: false }];
    await world.show(inGroup([], { knocks, state: "suspendedSilence" }));
    expect(shot().group).toMatchObject({
      state: "suspendedSilence",
      knocks,
      safetyCode: "00000 11111 22222 33333 44444 55555",
      shield: { level: "unverified" },
    });
    expect(shot().phase).toEqual({ kind: "inCall" });
  });

  test("what is shown of the group is the same object until the group changes", async () => {
    await world.enter();
    const before = shot();
    world.call.raiseHand(true);
    expect(shot()).not.toBe(before);
    expect(shot().group).toBe(before.group);
    await world.show(inGroup([], { state: "suspendedSilence" }));
    expect(shot().group).not.toBe(before.group);
  });
});

describe("warnings", () => {
  const warn = (kind: Extract<GroupEvent, { type: "warning" }>["kind"]): Promise<void> =>
    tell({ type: "warning", kind, leaf: null });

  test("that a person should know of are told, and taken back", async () => {
    await world.enter();
    for (const kind of ["silence", "withheld", "stalled", "conflict"] as const) await warn(kind);
    expect(noticeKinds()).toEqual(["silence", "withheld", "stalled", "serverOverreach"]);
    await warn("silenceOver");
    for (const kind of ["replayed", "suppressed", "serverOverreach"] as const) await warn(kind);
    expect(noticeKinds()).toEqual(["withheld", "stalled", "serverOverreach"]);
  });
});

describe("talk", () => {
  const hear = (
    from: string,
    say: Extract<GroupEvent, { type: "said" }>["said"]["say"],
  ): Promise<void> => {
    const said = {
      credential: `c${from}`,
      leaf: 1,
      name: `Person ${from}`,
      role: "guest" as const,
    };
    return tell({ type: "said", said: { ...said, say } });
  };

  const people = [someone(1, "Person 1"), someone(2, "Person 2")];

  beforeEach(() => world.enter(people));

  test("is shown as it is said, one's own when it is sent", async () => {
    await hear("1", { type: "chat", text: "Hello\r\nthere\u202e \u0000\u200fשלום" });
    world.call.sendChat("  <b>Hi</b> ");
    expect(shot().chat).toMatchObject([
      { from: "c1", name: "Person 1", isOwn: false, text: "Hello\nthere \u200fשלום" },
      { from: ME, name: "Ada", isOwn: true, text: "<b>Hi</b>" },
    ]);
    expect(world.member().commands).toEqual([
      { type: "say", say: { type: "chat", text: "<b>Hi</b>" } },
    ]);
    expect(new Set(shot().chat.map(({ id }) => id)).size).toBe(2);
  });

  test("that cannot be sent is not shown", async () => {
    world.call.sendChat(" \u0007 ");
    world.call.sendChat("ä".repeat(2_049));
    expect(world.member().commands).toEqual([]);
    expect(noticeKinds()).toEqual(["notDone"]);
    const mutes = [{ credential: ME, what: "chat" as MuteWhat }];
    await world.show(inGroup(people, { order: { locked: false, mutes } }));
    world.call.sendChat("I am forbidden to");
    await world.show(inGroup(people, { state: "forked" }));
    world.call.sendChat("to the others' side");
    world.call.raiseHand(true);
    world.call.react("clap");
    expect(world.member().commands).toEqual([]);
    expect(shot()).toMatchObject({ chat: [], hands: [], reactions: [] });
  });

  test("has an end: the oldest of many messages go", async () => {
    for (let i = 0; i < 503; i += 1) await hear("1", { type: "chat", text: `${i}` });
    expect(shot().chat).toHaveLength(500);
    expect(shot().chat[0]?.text).toBe("3");
  });

  test("hands are in the order of raising, until they go down or their person goes", async () => {
    await hear("2", { type: "hand", up: true });
    world.call.raiseHand(true);
    await hear("1", { type: "hand", up: true });
    await hear("2", { type: "hand", up: true });
    expect(shot().hands).toEqual(["c2", ME, "c1"]);
    world.call.raiseHand(false);
    expect(shot().hands).toEqual(["c2", "c1"]);
    await world.show(inGroup(people.slice(0, 1)));
    expect(shot().hands).toEqual(["c1"]);
  });

  test("a raised hand is shown to who comes later", async () => {
    world.call.raiseHand(true);
    await world.show(inGroup([...people, someone(3, "Late")]));
    expect(world.member().commands).toHaveLength(2);
    world.call.raiseHand(false);
    await world.show(inGroup([...people, someone(3, "Late"), someone(4, "Later")]));
    expect(world.member().commands).toHaveLength(3);
  });

  test("reactions pass", async () => {
    await hear("1", { type: "reaction", reaction: "heart" });
    vi.advanceTimersByTime(3_000);
    world.call.react("clap");
    expect(shot().reactions).toMatchObject([
      { from: "c1", name: "Person 1", reaction: "heart" },
      { from: ME, reaction: "clap" },
    ]);
    vi.advanceTimersByTime(2_500);
    expect(shot().reactions).toMatchObject([{ reaction: "clap" }]);
    vi.advanceTimersByTime(3_000);
    expect(shot().reactions).toEqual([]);
  });

  test("who is asked to mute is told by whom, while the microphone is on", async () => {
    await hear("1", { type: "askMute", credential: null });
    expect(noticeKinds()).toEqual([]);
    await world.call.prepare({ microphone: true, camera: false });
    await hear("1", { type: "askMute", credential: "c2" });
    expect(noticeKinds()).toEqual([]);
    await hear("1", { type: "askMute", credential: ME });
    expect(shot().notices).toMatchObject([{ kind: "askedToMute", name: "Person 1" }]);
    world.call.setMicrophone(false);
    await world.settle();
    expect(noticeKinds()).toEqual([]);
  });

  test("is gone with the call", async () => {
    await hear("1", { type: "chat", text: "Hello" });
    world.call.leave();
    expect(shot().chat).toEqual([]);
    world.call.dispose();
    world = await openHarness(world.link);
    expect(shot().chat).toEqual([]);
  });
});
