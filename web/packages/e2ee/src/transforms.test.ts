// @vitest-environment node

import type { TrackSource } from "@conclave/wire";
import { beforeAll, expect, test } from "vitest";
import type { SlotRef } from "./member";
import { loadModules } from "./testing/modules";
import { type TestDevice, TestMeeting } from "./testing/TestMeeting";
import { attach, type EncodedFrame } from "./transforms";

beforeAll(loadModules);

const SLOT: SlotRef = { generation: 1, kind: "video", index: 0 };

/** The two ends of a transformer, as a browser holds them. */
class Ends {
  readonly passed: EncodedFrame[] = [];
  keyFrameRequests = 0;
  #input!: ReadableStreamDefaultController<EncodedFrame>;

  constructor(device: TestDevice, options: unknown) {
    attach(device.keeper, {
      readable: new ReadableStream({
        start: (controller) => {
          this.#input = controller;
        },
      }),
      writable: new WritableStream({ write: (frame) => void this.passed.push(frame) }),
      options,
      sendKeyFrameRequest: async () => {
        this.keyFrameRequests += 1;
      },
    });
  }

  static sending(device: TestDevice, source: TrackSource): Ends {
    return new Ends(device, { direction: "send", source });
  }

  static receiving(device: TestDevice, slot: SlotRef = SLOT): Ends {
    return new Ends(device, { direction: "receive", slot });
  }

  /** Puts a frame in. */
  give(data: Uint8Array, type = "delta", mimeType: string | undefined = "video/VP8"): void {
    const metadata = mimeType === undefined ? {} : { mimeType };
    const copy = data.slice().buffer;
    this.#input.enqueue({ data: copy, type, getMetadata: () => metadata });
  }

  /** The contents of what passed. */
  get contents(): number[][] {
    return this.passed.map(({ data }) => [...new Uint8Array(data)]);
  }
}

/** A VP8 delta frame: bit 0 of its first byte is set. */
const DELTA = Uint8Array.from([0x01, ...new Array(40).fill(7)]);
const KEY = Uint8Array.from([0x00, ...new Array(40).fill(9)]);

/** Two people in a group whose keys are in use, and the sending end of the host's camera. */
async function call(): Promise<{
  meeting: TestMeeting;
  host: TestDevice;
  guest: TestDevice;
  camera: Ends;
  sealed: (data?: Uint8Array<ArrayBuffer>) => Promise<Uint8Array<ArrayBuffer>>;
}> {
  const meeting = await TestMeeting.start();
  const [host, guest] = await meeting.pair();
  await meeting.clock.pass(1500);
  const camera = Ends.sending(host, "camera");
  const sealed = async (data = DELTA): Promise<Uint8Array<ArrayBuffer>> => {
    const before = camera.passed.length;
    camera.give(data);
    const frame = await meeting.clock.until(() => camera.passed[before]);
    return new Uint8Array(frame.data);
  };
  return { meeting, host, guest, camera, sealed };
}

function assign(device: TestDevice, leaf: number, source: TrackSource): void {
  device.member.assign(1, [{ ...SLOT, leaf, source }]);
}

test("what one seals the other opens, and the server sees the clear prefix alone", async () => {
  const { meeting, host, guest, sealed } = await call();
  const receiver = Ends.receiving(guest);
  assign(guest, 0, "camera");
  await meeting.clock.pass(0);

  const [key, delta] = [await sealed(KEY), await sealed(DELTA)];
  expect([...key.slice(0, 10)]).toEqual([...KEY.slice(0, 10)]);
  expect([...key].join(" ")).not.toContain("9 9 9 9 9 9 9 9 9 9 9 9");
  expect([...delta].join(" ")).not.toContain("7 7 7");
  receiver.give(key, "key");
  receiver.give(delta);

  await meeting.clock.until(() => receiver.passed.length === 2);
  expect(receiver.contents).toEqual([[...KEY], [...DELTA]]);
  const counts = await guest.member.frameCounts();
  expect(counts).toMatchObject({ opened: 2, dropped: {} });
  const clearBytes = KEY.length + DELTA.length;
  const addedBytes = key.length + delta.length - clearBytes;
  const cost = { frames: 2, clearBytes, addedBytes };
  expect(counts.opening).toMatchObject({ audio: { frames: 0 }, video: cost });
  expect((await host.member.frameCounts()).sealing).toMatchObject({ video: cost });
});

test("a browser that names no codec sends what is negotiated", async () => {
  const { meeting, guest, camera } = await call();
  const receiver = Ends.receiving(guest);
  assign(guest, 0, "camera");
  camera.give(DELTA, "delta", undefined);
  const { data } = await meeting.clock.until(() => camera.passed[0]);
  receiver.give(new Uint8Array(data), "delta", undefined);
  await meeting.clock.until(() => receiver.passed.length === 1);
  expect(receiver.contents).toEqual([[...DELTA]]);
});

test("nothing passes unsealed: not before the group, not of another codec", async () => {
  const meeting = await TestMeeting.start();
  const alone = meeting.join("Gil", "guest");
  const early = Ends.sending(alone, "microphone");
  early.give(DELTA, "delta", "audio/opus");
  const { host, camera } = await call();
  camera.give(DELTA, "delta", "video/H264");
  camera.give(DELTA, "delta", "audio/opus");

  await meeting.clock.pass(1000);

  expect([early.passed, camera.passed]).toEqual([[], []]);
  expect((await alone.member.frameCounts()).notSealed).toEqual({ notInGroup: 1 });
  expect((await host.member.frameCounts()).notSealed).toEqual({ codec: 2 });
});

test("a frame that is quicker than the news of its slot waits for it", async () => {
  const { meeting, guest, sealed } = await call();
  const receiver = Ends.receiving(guest);
  receiver.give(await sealed());
  receiver.give(await sealed());
  // As late as a commit or the list of slots is if a packet of it was lost on the way.
  await meeting.clock.pass(900);
  expect(receiver.passed).toEqual([]);

  assign(guest, 0, "camera");

  await meeting.clock.pass(0);
  expect(receiver.contents).toEqual([[...DELTA], [...DELTA]]);
});

test("it waits a second at most, and no frame after it until one opens", async () => {
  const { meeting, guest, sealed } = await call();
  const receiver = Ends.receiving(guest);
  assign(guest, 0, "screen");
  receiver.give(await sealed());
  await meeting.clock.pass(990);
  expect((await guest.member.frameCounts()).dropped).toEqual({});
  await meeting.clock.pass(20);
  expect((await guest.member.frameCounts()).dropped).toEqual({ wrongTrack: 1 });

  receiver.give(await sealed());
  await meeting.clock.pass(0);
  expect((await guest.member.frameCounts()).dropped).toEqual({ wrongTrack: 2 });
  expect((await guest.member.frameCounts()).droppedOf).toEqual({ 0: { wrongTrack: 2 } });

  assign(guest, 0, "camera");
  receiver.give(await sealed());
  await meeting.clock.until(() => receiver.passed.length === 1);
  expect(receiver.keyFrameRequests).toBe(1);
});

test("a server that puts one person's picture under another's name shows nothing", async () => {
  const { meeting, guest, sealed } = await call();
  const receiver = Ends.receiving(guest);
  assign(guest, 1, "camera");
  receiver.give(await sealed());
  await meeting.clock.pass(1500);
  expect(receiver.passed).toEqual([]);
  expect((await guest.member.frameCounts()).dropped).toEqual({ wrongLeaf: 1 });
});

test("the last frames of whom a slot carried before hold nobody up", async () => {
  const { meeting, host, guest, sealed } = await call();
  const receiver = Ends.receiving(guest);
  assign(guest, 0, "camera");
  receiver.give(await sealed());
  await meeting.clock.until(() => receiver.passed.length === 1);

  assign(guest, 0, "screen");
  await meeting.clock.pass(0);
  const screen = Ends.sending(host, "screen");
  screen.give(KEY, "key");
  const { data } = await meeting.clock.until(() => screen.passed[0]);
  receiver.give(await sealed());
  receiver.give(new Uint8Array(data), "key");

  await meeting.clock.pass(0);
  expect(receiver.contents).toEqual([[...DELTA], [...KEY]]);
  expect((await guest.member.frameCounts()).dropped).toEqual({ earlier: 1 });
  expect(receiver.keyFrameRequests).toBe(0);
});

test("the last frames of one who was removed hold up nobody who gets the slot", async () => {
  const { meeting, host, guest, sealed } = await call();
  const third = await meeting.letIn(host, "Tia");
  await meeting.clock.pass(1500);
  const thirds = Ends.sending(third, "camera");
  const receiver = Ends.receiving(guest);
  assign(guest, 2, "camera");
  thirds.give(DELTA);
  thirds.give(KEY, "key");
  const [first, last] = await meeting.clock.until(
    () => thirds.passed.length === 2 && thirds.passed.map(({ data }) => new Uint8Array(data)),
  );
  receiver.give(first as Uint8Array);
  await meeting.clock.until(() => receiver.passed.length === 1);

  host.member.command({ type: "kick", credential: third.view().ownCredential ?? "" });
  await meeting.clock.until(() => guest.view().people.length === 2);
  assign(guest, 0, "camera");
  await meeting.clock.pass(0);
  receiver.give(last as Uint8Array, "key");
  receiver.give(await sealed());

  await meeting.clock.pass(0);
  expect(receiver.contents).toEqual([[...DELTA], [...DELTA]]);
  expect((await guest.member.frameCounts()).dropped).toEqual({ revoked: 1 });
  expect(receiver.keyFrameRequests).toBe(0);
});

test("a frame that comes twice is played once, and no key frame is asked for it", async () => {
  const { meeting, guest, sealed } = await call();
  const receiver = Ends.receiving(guest);
  assign(guest, 0, "camera");
  const frame = await sealed();
  receiver.give(frame);
  receiver.give(frame);
  receiver.give(await sealed());
  await meeting.clock.until(() => receiver.passed.length === 2);
  expect((await guest.member.frameCounts()).dropped).toEqual({ replayed: 1 });
  expect(receiver.keyFrameRequests).toBe(0);
});

test("one flipped bit makes a frame worthless, in its clear part too", async () => {
  const { meeting, guest, sealed } = await call();
  const receiver = Ends.receiving(guest);
  assign(guest, 0, "camera");
  const [start, end] = [await sealed(KEY), await sealed(KEY)];
  start[3] = (start[3] ?? 0) ^ 1;
  end[end.length - 1] = (end.at(-1) ?? 0) ^ 1;
  receiver.give(start, "key");
  receiver.give(end, "key");
  await meeting.clock.pass(1000);
  expect(receiver.passed).toEqual([]);
  expect((await guest.member.frameCounts()).dropped).toEqual({ forged: 2 });
});

test("whom a host mutes sends nothing, and is not heard if it does", async () => {
  const { meeting, host, guest } = await call();
  const camera = Ends.sending(guest, "camera");
  camera.give(DELTA);
  await meeting.clock.until(() => camera.passed.length === 1);

  const credential = guest.view().ownCredential ?? "";
  host.member.command({ type: "mute", credential, what: "camera", on: true });
  await meeting.clock.until(() => guest.view().order.mutes.length === 1);

  camera.give(DELTA);
  await meeting.clock.pass(1000);
  expect(camera.passed).toHaveLength(1);
  expect((await guest.member.frameCounts()).notSealed).toEqual({ muted: 1 });
});
