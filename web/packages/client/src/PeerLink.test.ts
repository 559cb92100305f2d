import type { SlotRef } from "@conclave/e2ee";
import type { TrackSource } from "@conclave/wire";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { PeerLink } from "./PeerLink";

/** What happened to the peer connection, in order. */
let log: string[];

class FakeTransceiver {
  static count = 0;
  readonly id = FakeTransceiver.count++;
  readonly mid = String(this.id);
  readonly sender = {
    id: this.id,
    replaceTrack: async () => void log.push(`replace ${this.id}`),
    getParameters: () => structuredClone(this.#parameters),
    setParameters: async (parameters: RTCRtpSendParameters) => {
      log.push(`set ${this.id} ${parameters.encodings.map(({ active }) => active)}`);
      await Promise.resolve();
      this.#parameters = parameters;
    },
  };
  readonly receiver = { id: this.id, track: {} };
  #parameters: RTCRtpSendParameters;

  constructor({ sendEncodings = [{}] }: RTCRtpTransceiverInit = {}) {
    const encodings = sendEncodings.map((encoding) => ({ active: true, ...encoding }));
    const rest = { codecs: [], headerExtensions: [], rtcp: {}, transactionId: "" };
    this.#parameters = { ...rest, encodings };
  }

  setCodecPreferences(): void {
    log.push(`codecs ${this.id}`);
  }
}

class FakePeerConnection extends EventTarget {
  signalingState = "stable";
  localDescription: RTCSessionDescriptionInit | undefined;

  async createOffer(): Promise<RTCSessionDescriptionInit> {
    return { type: "offer", sdp: "offer" };
  }

  async setLocalDescription(description: RTCSessionDescriptionInit): Promise<void> {
    this.signalingState = description.type === "offer" ? "have-local-offer" : "stable";
    this.localDescription = description;
  }

  async setRemoteDescription(): Promise<void> {
    this.signalingState = "stable";
  }

  addTransceiver(_kind: string, init?: RTCRtpTransceiverInit): FakeTransceiver {
    const transceiver = new FakeTransceiver(init);
    log.push(`add ${transceiver.id}`);
    return transceiver;
  }

  close(): void {}
}

const member = {
  attachSender: (sender: unknown, source: TrackSource): void => {
    log.push(`seal ${(sender as FakeTransceiver["sender"]).id} as ${source}`);
  },
  attachReceiver: (receiver: unknown, { generation, kind, index }: SlotRef): void => {
    const { id } = receiver as FakeTransceiver["receiver"];
    log.push(`open ${id} as ${generation} ${kind} ${index}`);
  },
};

function makePeer(onLost = () => {}): PeerLink {
  const events = { onConnected: () => {}, onLost };
  return new PeerLink({ generation: 3, videoSlots: 2, member, events });
}

beforeEach(() => {
  log = [];
  FakeTransceiver.count = 0;
  vi.stubGlobal("RTCPeerConnection", FakePeerConnection);
  vi.stubGlobal("RTCRtpReceiver", {
    getCapabilities: () => ({ codecs: [{ mimeType: "audio/opus" }, { mimeType: "video/VP8" }] }),
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("the member has each section the moment it is there", () => {
  const peer = makePeer();
  peer.growVideo(3);
  const adds = log.flatMap((entry, i) => (entry.startsWith("add") ? [log[i + 1]] : []));
  expect(adds).toEqual([
    "seal 0 as microphone",
    "seal 1 as camera",
    "seal 2 as screen",
    "seal 3 as screenAudio",
    "open 4 as 3 audio 0",
    "open 5 as 3 audio 1",
    "open 6 as 3 audio 2",
    "open 7 as 3 audio 3",
    "open 8 as 3 video 0",
    "open 9 as 3 video 1",
    "open 10 as 3 video 2",
  ]);
});

test("no track is sent before all of it is sealed", () => {
  const peer = makePeer();
  peer.send("camera", {} as MediaStreamTrack);
  expect(log.at(-1)).toBe("replace 1");
  expect(log.filter((entry) => entry.startsWith("replace"))).toHaveLength(1);
});

test("what nobody looks at is not encoded, and what somebody does is again", async () => {
  const peer = makePeer();
  const changes = async (...demands: { mid: string; layers: number }[]): Promise<string[]> => {
    log = [];
    peer.demand(demands);
    await new Promise((resolve) => setTimeout(resolve));
    return log;
  };
  expect(await changes({ mid: "1", layers: 2 })).toEqual(["set 1 true,true,false"]);
  expect(await changes({ mid: "1", layers: 2 })).toEqual([]);
  const nothing = [
    { mid: "1", layers: 0 },
    { mid: "2", layers: 0 },
  ];
  expect(await changes(...nothing)).toEqual(["set 1 false,false,false", "set 2 false"]);
  expect(await changes({ mid: "2", layers: 0 })).toEqual(["set 1 true,true,true"]);
  expect(await changes()).toEqual(["set 2 true"]);
});

test("a section is known as the slot that the member has it as", () => {
  const peer = makePeer();
  expect(peer.slotOf("5")).toEqual({ generation: 3, kind: "audio", index: 1 });
  expect(peer.slotOf("9")).toEqual({ generation: 3, kind: "video", index: 1 });
  expect(peer.slotOf("1")).toBeUndefined();
  expect(peer.slotOf("99")).toBeUndefined();
});

test("an offer that is sent and never answered is given up", async () => {
  vi.useFakeTimers();
  const onLost = vi.fn();
  const peer = makePeer(onLost);
  await peer.offer();
  // It may lie ready for as long as somebody stands at the door.
  vi.advanceTimersByTime(60_000);
  expect(onLost).not.toHaveBeenCalled();
  peer.awaitAnswer();
  vi.advanceTimersByTime(9_000);
  expect(onLost).not.toHaveBeenCalled();
  vi.advanceTimersByTime(2_000);
  expect(onLost).toHaveBeenCalledOnce();
});

test.each(["answered", "rolled back", "closed"])(
  "an offer that is %s is not given up",
  async (how) => {
    vi.useFakeTimers();
    const onLost = vi.fn();
    const peer = makePeer(onLost);
    await peer.offer();
    peer.awaitAnswer();
    if (how === "answered") await peer.answer("answer");
    else if (how === "rolled back") await peer.rollBack();
    else peer.close();
    // An answer is followed by a connection, or by the end of that patience.
    vi.advanceTimersByTime(how === "answered" ? 9_900 : 60_000);
    vi.clearAllTimers();
    expect(onLost).not.toHaveBeenCalled();
  },
);
