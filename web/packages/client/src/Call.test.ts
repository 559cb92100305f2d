import type { ParticipantInfo, ServerMessage } from "@conclave/wire";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import {
  admittedTo,
  answerTo,
  type Harness,
  inGroup,
  joinedAs,
  makeHarness,
  openHarness,
  type Someone,
  someone,
} from "./callHarness";
import { deriveKeys } from "./link";
import { type Meeting, MeetingError } from "./meetings";
import type { CallSnapshot } from "./snapshot";

const camera = (id: number): ParticipantInfo["publications"][number] => ({ id, source: "camera" });
const microphone = (id: number): ParticipantInfo["publications"][number] => ({
  id,
  source: "microphone",
});

const meeting = (part: Partial<Meeting> = {}): Meeting => ({
  title: "Tea",
  participants: 0,
  constitution: "{}",
  cameraCodec: "auto",
  ...part,
});

let world: Harness;

const shot = (): CallSnapshot => world.call.snapshot();
const noticeKinds = (): string[] => shot().notices.map(({ kind }) => kind);

/** The group and the server have these others now. */
async function present(...others: readonly Someone[]): Promise<void> {
  await world.show(inGroup(others));
  const left = shot()
    .others.flatMap(({ participant }) => participant ?? [])
    .filter((id) => !others.some(({ info }) => info.id === id));
  const message: ServerMessage = {
    type: "roster",
    present: others.map(({ info }) => info),
    left: left.map((id) => [id, "left"]),
  };
  await world.say(message);
}

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

describe("joining", () => {
  test("says join with the token, and nothing of media", async () => {
    await world.call.prepare({ microphone: true, camera: true });
    await world.up();
    expect(world.sent).toEqual([]);
    world.call.join();
    await world.settle();
    expect(world.sent).toEqual([
      {
        type: "join",
        meeting: world.link.id,
        token: (await deriveKeys(world.link)).token,
        presence: { muted: false },
      },
    ]);
    expect(shot().phase).toEqual({ kind: "joining" });
    expect(world.marks).toEqual(["conclave:join"]);
  });

  test("waits for the socket", async () => {
    world.call.join();
    await world.settle();
    expect(world.sent).toEqual([]);
    await world.up();
    expect(world.said("join")).toHaveLength(1);
  });

  test("waits until the policy was seen", async () => {
    const late = Promise.withResolvers<Meeting>();
    world.meeting = () => late.promise;
    world.call.leave();
    world.call.rejoin();
    await world.up();
    expect(world.said("join")).toEqual([]);
    late.resolve(meeting({ title: "Late" }));
    await world.settle();
    expect(world.said("join")).toHaveLength(1);
    expect(shot().title).toBe("Late");
  });

  test("a policy that somebody changed ends it before anything is said", async () => {
    world.call.leave();
    world.meeting = () => Promise.reject(new MeetingError("policyMismatch", ""));
    world.call.rejoin();
    await world.up();
    expect(shot().phase).toEqual({ kind: "ended", reason: { kind: "policyMismatch" } });
    expect(world.sent).toEqual([]);
  });

  test("a meeting that could not be asked for is asked for again", async () => {
    world.call.leave();
    let asked = 0;
    world.meeting = async () => {
      asked += 1;
      if (asked < 3) throw new MeetingError("unreachable", "");
      return meeting();
    };
    world.call.rejoin();
    await world.up();
    for (let i = 0; i < 2; i += 1) {
      await vi.advanceTimersByTimeAsync(1_500);
      await world.settle();
    }
    expect(asked).toBe(3);
    expect(world.said("join")).toHaveLength(1);
  });

  test("a socket lost on the way is no loss", async () => {
    await world.up();
    world.call.join();
    await world.settle();
    world.down();
    await world.up();
    expect(world.said("join")).toHaveLength(2);
    expect(shot().phase).toEqual({ kind: "joining" });
  });

  test("who is admitted offers what was ready, and sees who is there", async () => {
    const grace = someone(3, "Grace", { publications: [camera(31), microphone(32)] });
    const mute = someone(2, "Mute", { presence: { muted: true } });
    await world.call.prepare({ microphone: true, camera: true });
    await world.enter([mute, grace]);
    expect(world.peer().awaited).toBe(1);
    expect(world.said("offer").map(({ offer }) => offer)).toEqual([
      {
        generation: 1,
        sdp: "offer 1 with 4",
        tracks: [
          { mid: "0", source: "microphone" },
          { mid: "1", source: "camera" },
        ],
      },
    ]);
    expect(world.peer().answers).toEqual(["answer 1"]);
    const { phase, others, self } = shot();
    expect(phase).toEqual({ kind: "inCall" });
    expect(self.id).toBe("me");
    expect(others.map(({ id, name, muted }) => [id, name, muted])).toEqual([
      ["c2", "Mute", true],
      ["c3", "Grace", false],
    ]);
    expect(others[1]?.camera).toMatchObject({ publication: 31, state: "waiting" });
  });

  test("a refusal is told, and joining again may work", async () => {
    await world.up();
    world.call.join();
    await world.settle();
    await world.say({ type: "error", code: "meetingFull", detail: "", fatal: true });
    expect(shot().phase).toEqual({
      kind: "ended",
      reason: { kind: "refused", code: "meetingFull" },
    });
    world.call.rejoin();
    await world.up();
    expect(world.said("join")).toHaveLength(2);
  });
});

describe("what is sent", () => {
  test("camera and screen are told by publish, without an offer", async () => {
    await world.call.prepare({ microphone: true, camera: false });
    await world.enter();
    world.call.setCamera(true);
    expect(world.said("publish").at(-1)?.tracks).toEqual([
      { mid: "0", source: "microphone" },
      { mid: "1", source: "camera" },
    ]);
    expect(world.peer().sending.get("camera")).toBe(world.devices.tracks.get("camera"));
    world.screen = { kind: "on", stream: new MediaStream(), withAudio: true };
    world.screenEvents?.onChange();
    expect(
      world
        .said("publish")
        .at(-1)
        ?.tracks.map(({ source }) => source),
    ).toEqual(["microphone", "camera", "screen", "screenAudio"]);
    world.call.setCamera(false);
    expect(
      world
        .said("publish")
        .at(-1)
        ?.tracks.map(({ source }) => source),
    ).toEqual(["microphone", "screen", "screenAudio"]);
    expect(world.peer().sending.get("camera")).toBeUndefined();
    expect(world.said("offer")).toHaveLength(1);
  });

  test("a muted microphone stays published, and sends nothing", async () => {
    await world.call.prepare({ microphone: true, camera: false });
    await world.enter();
    const before = world.said("publish").length;
    world.call.setMicrophone(false);
    expect(world.said("presence").at(-1)?.presence).toEqual({ muted: true });
    expect(world.said("publish")).toHaveLength(before);
    expect(world.peer().sending.get("microphone")).toBeUndefined();
    world.call.setMicrophone(true);
    expect(world.said("presence").at(-1)?.presence).toEqual({ muted: false });
    expect(world.peer().sending.get("microphone")).toBeDefined();
  });

  test("another device takes the place of the one before", async () => {
    await world.call.prepare({ microphone: false, camera: true });
    await world.enter();
    const before = world.said("publish").length;
    world.call.selectCamera("other");
    expect(world.peer().sending.get("camera")).toMatchObject({ name: "other" });
    expect(world.said("publish")).toHaveLength(before);
  });

  test("leaving says so, frees everything and forgets the secret", async () => {
    await world.enter();
    expect(sessionStorage.length).toBeGreaterThan(0);
    world.call.leave();
    expect(world.sent.at(-1)).toEqual({ type: "leave" });
    expect(world.peer().closed).toBe(true);
    expect(world.devices.on.size).toBe(0);
    expect(sessionStorage.length).toBe(0);
    expect(shot().phase).toEqual({ kind: "ended", reason: { kind: "left" } });
  });

  test("rejoining switches on what was on", async () => {
    await world.call.prepare({ microphone: true, camera: true });
    world.call.setCamera(false);
    await world.enter();
    world.call.leave();
    world.call.rejoin();
    await world.settle();
    expect([...world.devices.on]).toEqual(["microphone"]);
  });
});

describe("what is seen", () => {
  const want = (publication: number) =>
    ({ publication, width: 320, height: 180, priority: "tile" }) as const;

  const crowd = (count: number): Someone[] =>
    Array.from({ length: count }, (_, i) =>
      someone(i + 10, `P${i}`, { publications: [camera(100 + i)] }),
    );

  async function enterWith(count: number): Promise<void> {
    await world.enter(crowd(count));
  }

  test("the view is told at once, then when it rests, and only what is there", async () => {
    await enterWith(3);
    world.call.setView([want(100), want(999)]);
    expect(world.said("view").at(-1)?.wants).toEqual([want(100)]);
    world.call.setView([want(101)]);
    world.call.setView([want(102)]);
    expect(world.said("view").at(-1)?.wants).toEqual([want(100)]);
    vi.advanceTimersByTime(100);
    expect(world.said("view").at(-1)?.wants).toEqual([want(102)]);
    const told = world.said("view").length;
    world.call.setView([want(102)]);
    vi.advanceTimersByTime(500);
    expect(world.said("view")).toHaveLength(told);
  });

  test("until the view speaks, the first pictures are asked for", async () => {
    await enterWith(9);
    expect(world.said("view").map(({ wants }) => wants.map((w) => w.publication))).toEqual([
      [100, 101, 102, 103],
    ]);
    world.call.setView([]);
    expect(world.said("view").at(-1)?.wants).toEqual([]);
  });

  test("a wanted publication is asked for as soon as it is there", async () => {
    await enterWith(1);
    world.call.setView([want(100), want(200)]);
    await present(...crowd(1), someone(20, "Late", { publications: [camera(200)] }));
    expect(world.said("view").at(-1)?.wants).toEqual([want(100), want(200)]);
  });

  test("the pool grows with the view, in fours, by one offer each, and never shrinks", async () => {
    await enterWith(40);
    const views = [4, 5, 9, 2, 40];
    for (const count of views) {
      world.call.setView(Array.from({ length: count }, (_, i) => want(100 + i)));
      vi.advanceTimersByTime(200);
      await world.settle();
      const offer = world.said("offer").at(-1)?.offer;
      if (world.peer().isNegotiating && offer !== undefined) {
        await world.say({ type: "answer", answer: answerTo(1, "more") });
      }
    }
    expect(world.said("offer").map(({ offer }) => offer.sdp)).toEqual([
      "offer 1 with 4",
      "offer 1 with 8",
      "offer 1 with 12",
      "offer 1 with 32",
    ]);
  });

  test("a view that grows while an offer is out is offered after its answer", async () => {
    await enterWith(20);
    world.call.setView(Array.from({ length: 5 }, (_, i) => want(100 + i)));
    await world.settle();
    world.call.setView(Array.from({ length: 15 }, (_, i) => want(100 + i)));
    vi.advanceTimersByTime(200);
    await world.settle();
    expect(world.said("offer")).toHaveLength(2);
    expect(world.peer().awaited).toBe(2);
    await world.say({ type: "answer", answer: answerTo(1, "more") });
    expect(world.said("offer").at(-1)?.offer.sdp).toBe("offer 1 with 16");
  });

  test("people who come and go cost no offer", async () => {
    await enterWith(2);
    for (let id = 50; id < 70; id += 1) {
      await present(...crowd(2), someone(id, `Q${id}`, { publications: [camera(id * 10)] }));
      await present(...crowd(2));
    }
    expect(world.said("offer")).toHaveLength(1);
    expect(world.peers).toHaveLength(1);
  });

  test("a slot gives a publication one stream for as long as it holds", async () => {
    await enterWith(2);
    const video = (id: number) => shot().others.find((p) => p.id === `c${id}`)?.camera;
    const slots = (paused: boolean): ServerMessage => ({
      type: "slots",
      generation: 1,
      audio: [],
      video: [{ mid: "8", publication: 100, paused }],
    });
    await world.say(slots(false));
    const stream = video(10)?.stream;
    expect(stream).toBeDefined();
    expect(video(10)?.state).toBe("waiting");
    expect(video(11)).toMatchObject({ stream: undefined, state: "waiting" });

    world.peer().frames.set("8", 1);
    await vi.advanceTimersByTimeAsync(50);
    expect(video(10)?.state).toBe("live");
    expect(world.marks).toContain("conclave:first-frame");

    await world.say(slots(true));
    expect(video(10)).toMatchObject({ state: "paused" });
    await world.say(slots(false));
    expect(video(10)).toMatchObject({ state: "live" });
    expect(video(10)?.stream).toBe(stream);
  });

  test("a slot that changes hands is live only after a frame of its own", async () => {
    await enterWith(2);
    const give = (publication: number) =>
      world.say({
        type: "slots",
        generation: 1,
        audio: [],
        video: [{ mid: "8", publication, paused: false }],
      });
    await give(100);
    world.peer().frames.set("8", 50);
    await vi.advanceTimersByTimeAsync(50);
    await give(101);
    await vi.advanceTimersByTimeAsync(300);
    const { others } = shot();
    expect(others[0]?.camera).toMatchObject({ stream: undefined, state: "waiting" });
    expect(others[1]?.camera?.state).toBe("waiting");
    world.peer().frames.set("8", 51);
    await vi.advanceTimersByTimeAsync(500);
    expect(shot().others[1]?.camera?.state).toBe("live");
  });

  test("slots of another generation are dropped", async () => {
    await enterWith(1);
    const video = [{ mid: "8", publication: 100, paused: false }];
    await world.say({ type: "slots", generation: 2, audio: [], video });
    expect(shot().others[0]?.camera?.stream).toBeUndefined();
  });

  test("what nobody looks at is known to the media session that it is about", async () => {
    await enterWith(1);
    const pictures = [{ mid: "1", layers: 0 }];
    await world.say({ type: "demand", generation: 2, pictures });
    expect(world.peer().demanded).toEqual([]);
    await world.say({ type: "demand", generation: 1, pictures });
    expect(world.peer().demanded).toEqual(pictures);
  });
});

describe("who speaks", () => {
  test("the featured one is the last other who spoke", async () => {
    const [a, b] = [
      someone(1, "A", { publications: [microphone(1)] }),
      someone(2, "B", { publications: [microphone(2)] }),
    ];
    await world.enter([a, b]);
    await world.say({ type: "speakers", active: 2, speaking: [2] });
    expect(shot().activeSpeaker).toBe("c2");
    expect(shot().others.map(({ speaking }) => speaking)).toEqual([false, true]);
    await world.say({ type: "speakers", active: 7, speaking: [7] });
    expect(shot().activeSpeaker).toBe("c2");
    await world.say({ type: "speakers", active: 7, speaking: [7, 1, 2] });
    expect(shot().activeSpeaker).toBe("c2");
    await world.say({ type: "speakers", active: 7, speaking: [7, 1] });
    expect(shot().activeSpeaker).toBe("c1");
    await world.say({ type: "speakers", active: null, speaking: [] });
    expect(shot().activeSpeaker).toBe("c1");
    await world.say({ type: "speakers", active: 2, speaking: [1, 2] });
    await present(a);
    expect(shot().activeSpeaker).toBeUndefined();
  });

  test("a voice into a muted microphone is noticed once", async () => {
    await world.call.prepare({ microphone: true, camera: false });
    await world.enter();
    world.level = 0.7;
    vi.advanceTimersByTime(2_000);
    expect(shot().self.speaking).toBe(true);
    expect(noticeKinds()).toEqual([]);
    world.call.setMicrophone(false);
    vi.advanceTimersByTime(300);
    expect(noticeKinds()).toEqual([]);
    vi.advanceTimersByTime(5_000);
    expect(noticeKinds()).toEqual(["speakingWhileMuted"]);
    expect(shot().self.speaking).toBe(false);
    world.call.setMicrophone(true);
    await world.settle();
    expect(noticeKinds()).toEqual([]);
  });
});

describe("notices", () => {
  test("one who joins and leaves is named", async () => {
    await world.enter();
    vi.advanceTimersByTime(1_500);
    await present(someone(20, "Grace"));
    expect(shot().notices).toEqual([{ id: 1, kind: "joined", name: "Grace" }]);
    world.call.dismiss(1);
    expect(shot().notices).toEqual([]);
    await present();
    expect(shot().notices).toMatchObject([{ kind: "left", name: "Grace" }]);
  });

  test("the first second and a crowd are silent", async () => {
    await world.enter();
    const people = [someone(20, "Early")];
    await present(...people);
    expect(noticeKinds()).toEqual([]);
    vi.advanceTimersByTime(1_500);
    for (let id = 30; id < 60; id += 1) {
      people.push(someone(id, `P${id}`));
      await present(...people);
    }
    expect(noticeKinds()).toHaveLength(3);
  });

  test("a change of state is not a coming", async () => {
    await world.enter([someone(1, "A")]);
    vi.advanceTimersByTime(1_500);
    await present(someone(1, "A", { connected: false }));
    expect(noticeKinds()).toEqual([]);
  });
});

describe("coming back", () => {
  const back = (others: readonly Someone[] = []): ServerMessage =>
    joinedAs({ resumeToken: "next", admitted: admittedTo(others) });

  test("a lost socket resumes with token and signature, and keeps its media", async () => {
    const a = someone(1, "A");
    await world.enter([a]);
    world.down();
    expect(shot().phase).toMatchObject({ kind: "reconnecting", attempt: 1 });
    expect(shot().others).toHaveLength(1);
    await world.up();
    expect(world.said("resume")).toMatchObject([
      { resumeToken: "token", signature: "signed challenge 2", offer: null },
    ]);
    await world.say(back([a]));
    expect(shot().phase).toEqual({ kind: "inCall" });
    expect(world.peers).toHaveLength(1);
    expect(world.member().reconnections).toBe(1);
    world.down();
    await world.up();
    expect(world.said("resume").at(-1)?.resumeToken).toBe("next");
  });

  test("a restarted server gets a new generation with the same tracks", async () => {
    await world.call.prepare({ microphone: true, camera: true });
    await world.enter();
    world.down();
    await world.up();
    await world.say(joinedAs({ admitted: admittedTo([]), mediaAlive: false }));
    const message = world.said("offer").at(-1);
    expect(message?.offer).toMatchObject({
      generation: 2,
      tracks: [{ source: "microphone" }, { source: "camera" }],
    });
    expect(world.peer().sending.get("camera")).toBe(world.devices.tracks.get("camera"));
    await world.say({ type: "answer", answer: answerTo(2, "new") });
    expect(shot().phase.kind).toBe("reconnecting");
    world.peer().options.events.onConnected();
    expect(shot().phase).toEqual({ kind: "inCall" });
  });

  test("each generation sends the camera in what the server wants", async () => {
    world.call.dispose();
    world = await makeHarness();
    world.meeting = async () => meeting({ cameraCodec: "vp9" });
    await world.enter();
    world.down();
    await world.up();
    await world.say(joinedAs({ admitted: admittedTo([]), mediaAlive: false }));
    expect(world.peers.map(({ options }) => options.cameraCodec)).toEqual(["vp9", "vp9"]);
  });

  test("media that died meanwhile is offered with the session, and its answer is verified", async () => {
    await world.enter();
    world.down();
    world.peer().options.events.onLost();
    await world.up();
    expect(world.said("resume").at(-1)?.offer).toMatchObject({ generation: 2 });
    expect(world.peer().awaited).toBe(1);
    const answer = answerTo(2, "again");
    await world.say(joinedAs({ admitted: admittedTo([]), answer }));
    expect(world.member().verified.at(-1)).toEqual(["again", [], answer.statement]);
    expect(world.peer().answers).toEqual(["again"]);
    world.peer().options.events.onConnected();
    expect(shot().phase).toEqual({ kind: "inCall" });
  });

  test("a server that forgot the session gets a newcomer, with a new leaf and new media", async () => {
    await world.enter();
    world.down();
    await world.up();
    await world.say({ type: "error", code: "resumeRefused", detail: "", fatal: false });
    expect(world.said("join")).toHaveLength(2);
    expect(world.members[0]?.closed).toBe(true);
    await world.say(joinedAs({ participant: 8 }));
    expect(world.peers[0]?.closed).toBe(true);
    expect(world.members).toHaveLength(2);
    expect(world.member().options.previous).toBe("me");
    await world.admit([], { ownCredential: "me again" });
    expect(world.said("offer").map(({ offer }) => offer.generation)).toEqual([1, 2]);
    expect(shot()).toMatchObject({ phase: { kind: "inCall" }, self: { id: "me again" } });
  });

  test("the view is told anew", async () => {
    const person = someone(1, "A", { publications: [camera(100)] });
    await world.enter([person]);
    const wants = [{ publication: 100, width: 2, height: 2, priority: "tile" }] as const;
    world.call.setView(wants);
    vi.advanceTimersByTime(200);
    const told = world.said("view").length;
    world.down();
    await world.up();
    await world.say(back([person]));
    expect(world.said("view")).toHaveLength(told + 1);
  });

  test("what was switched meanwhile is told", async () => {
    await world.call.prepare({ microphone: true, camera: true });
    await world.enter();
    world.down();
    world.call.setCamera(false);
    await world.up();
    await world.say(back());
    expect(world.said("publish").at(-1)?.tracks).toEqual([{ mid: "0", source: "microphone" }]);
  });

  test("media that fails is offered anew while the socket lives", async () => {
    await world.enter();
    world.peer().options.events.onLost();
    await world.settle();
    expect(world.said("offer").map(({ offer }) => offer.generation)).toEqual([1, 2]);
    expect(shot().phase.kind).toBe("reconnecting");
  });

  test("while neither socket nor media is there, nobody's picture is shown and nobody speaks", async () => {
    await world.enter([someone(10, "Ben", { publications: [camera(100), microphone(101)] })]);
    await world.say({
      type: "slots",
      generation: 1,
      audio: [],
      video: [{ mid: "8", publication: 100, paused: false }],
    });
    await world.say({ type: "speakers", active: 10, speaking: [10] });
    world.down();
    expect(shot().others[0]).toMatchObject({ speaking: true, camera: { stream: {} } });
    world.peer().options.events.onLost();
    await world.settle();
    expect(shot().others[0]).toMatchObject({ speaking: false, camera: { stream: undefined } });
  });

  test("a long interruption is announced when it is over, a short one is not", async () => {
    await world.enter();
    for (const [awayMs, expected] of [
      [500, []],
      [4_000, ["reconnected"]],
    ] as const) {
      world.down();
      vi.advanceTimersByTime(awayMs);
      await world.up();
      await world.say(back());
      expect(noticeKinds()).toEqual(expected);
    }
  });

  test("a reloaded page comes in as somebody new, and says whose leaf it left", async () => {
    await world.enter();
    world.call.dispose();
    world = await openHarness(world.link);
    await world.knock();
    expect(world.said("resume")).toEqual([]);
    expect(world.member().options.previous).toBe("me");
  });

  test("a session taken up elsewhere ends here, and keeps nothing running", async () => {
    await world.enter();
    await world.say({ type: "error", code: "replaced", detail: "", fatal: true });
    expect(shot().phase).toEqual({ kind: "ended", reason: { kind: "replaced" } });
    expect(world.peer().closed).toBe(true);
    expect(world.member().closed).toBe(true);
  });

  test("a server that stays away is given up after two minutes", async () => {
    await world.enter();
    world.down();
    vi.advanceTimersByTime(119_000);
    expect(shot().phase.kind).toBe("reconnecting");
    vi.advanceTimersByTime(2_000);
    expect(shot().phase).toEqual({ kind: "ended", reason: { kind: "unreachable" } });
  });
});

describe("snapshots", () => {
  test("what did not change keeps its identity", async () => {
    await world.enter([someone(1, "A"), someone(2, "B")]);
    const before = shot();
    expect(shot()).toBe(before);
    await world.say({ type: "quality", participants: [{ id: 2, quality: "poor" }] });
    const after = shot();
    expect(after).not.toBe(before);
    expect(after.others[0]).toBe(before.others[0]);
    expect(after.others[1]).not.toBe(before.others[1]);
    expect(after.self).toBe(before.self);
    expect(after.group).toBe(before.group);
    expect(after.notices).toBe(before.notices);
  });

  test("listeners hear of changes once a turn, and not after they stopped", async () => {
    let heard = 0;
    const stop = world.call.subscribe(() => {
      heard += 1;
    });
    world.call.setName("B");
    world.call.setName("C");
    await world.settle();
    expect(heard).toBe(1);
    expect(shot().self.name).toBe("C");
    stop();
    world.call.setName("D");
    await world.settle();
    expect(heard).toBe(1);
  });
});
