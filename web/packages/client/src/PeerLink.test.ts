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
  readonly sender = { id: this.id, replaceTrack: async () => void log.push(`replace ${this.id}`) };
  readonly receiver = { id: this.id, track: {} };

  setCodecPreferences(): void {
    log.push(`codecs ${this.id}`);
  }
}

class FakePeerConnection extends EventTarget {
  addTransceiver(): FakeTransceiver {
    const transceiver = new FakeTransceiver();
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

function makePeer(): PeerLink {
  const events = { onConnected: () => {}, onLost: () => {} };
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

afterEach(() => vi.unstubAllGlobals());

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

test("a section is known as the slot that the member has it as", () => {
  const peer = makePeer();
  expect(peer.slotOf("5")).toEqual({ generation: 3, kind: "audio", index: 1 });
  expect(peer.slotOf("9")).toEqual({ generation: 3, kind: "video", index: 1 });
  expect(peer.slotOf("1")).toBeUndefined();
  expect(peer.slotOf("99")).toBeUndefined();
});
