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

  setCodecPreferences(codecs: readonly RTCRtpCodec[]): void {
    const names = codecs.map(({ mimeType, sdpFmtpLine = "" }) => `${mimeType} ${sdpFmtpLine}`);
    log.push(`codecs ${this.id} ${names.map((name) => name.trim()).join()}`);
  }
}

class FakePeerConnection extends EventTarget {
  signalingState = "stable";
  localDescription: RTCSessionDescriptionInit | undefined;

  #configuration: RTCConfiguration;

  constructor(configuration: RTCConfiguration) {
    super();
    this.#configuration = configuration;
  }

  getConfiguration(): RTCConfiguration {
    return this.#configuration;
  }

  setConfiguration(configuration: RTCConfiguration): void {
    this.#configuration = configuration;
  }

  async createOffer(): Promise<RTCSessionDescriptionInit> {
    log.push("offer made");
    return { type: "offer", sdp: "offer" };
  }

  async setLocalDescription(description: RTCSessionDescriptionInit): Promise<void> {
    const urls = this.#configuration.iceServers?.flatMap((server) => server.urls) ?? [];
    log.push(`paths by ${urls}`);
    this.signalingState = description.type === "offer" ? "have-local-offer" : "stable";
    this.localDescription = description;
  }

  async setRemoteDescription(): Promise<void> {
    this.signalingState = "stable";
  }

  addTransceiver(_kind: string, init?: RTCRtpTransceiverInit): FakeTransceiver {
    const transceiver = new FakeTransceiver(init);
    const modes = init?.sendEncodings?.map((encoding) => JSON.stringify(encoding)) ?? [];
    const layered = modes.filter((mode) => mode.includes("scalabilityMode"));
    log.push(`add ${transceiver.id}`, ...layered.map((mode) => `layer ${transceiver.id} ${mode}`));
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

function makePeer(onLost = () => {}, cameraCodec: "vp8" | "vp9" = "vp8"): PeerLink {
  const events = { onConnected: () => {}, onLost };
  const relay = undefined;
  const options = { generation: 3, videoSlots: 2, cameraCodec, relay, member, events };
  return new PeerLink(options, "meet.example.org");
}

/** What a browser lists, in its own order. */
const CODECS = [
  { mimeType: "audio/opus" },
  { mimeType: "audio/PCMU" },
  { mimeType: "video/rtx" },
  { mimeType: "video/AV1" },
  { mimeType: "video/VP9", sdpFmtpLine: "profile-id=0" },
  { mimeType: "video/VP9", sdpFmtpLine: "profile-id=2" },
  { mimeType: "video/VP8" },
];

beforeEach(() => {
  log = [];
  FakeTransceiver.count = 0;
  vi.stubGlobal("RTCPeerConnection", FakePeerConnection);
  vi.stubGlobal("RTCRtpReceiver", {
    getCapabilities: (kind: string) => ({
      codecs: CODECS.filter(({ mimeType }) => mimeType.startsWith(kind)),
    }),
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("the member has each section the moment it is there", () => {
  const peer = makePeer();
  peer.growVideo(3);
  const told = log.filter((entry) => !entry.startsWith("layer"));
  const adds = told.flatMap((entry, i) => (entry.startsWith("add") ? [told[i + 1]] : []));
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

test("an offer made before it is known what relays media looks for paths with it", async () => {
  const peer = makePeer();
  peer.prepare();
  log = [];
  const ways = [{ protocol: "udp", port: 3478 } as const];
  peer.relayBy({ ways, username: "1800000000:tag", password: "secret" });

  await peer.offer();

  expect(log).toEqual(["paths by turn:meet.example.org:3478?transport=udp"]);
});

test("an offer that was made for fewer slots is not used", async () => {
  const peer = makePeer();
  peer.prepare();
  peer.growVideo(5);
  log = [];

  await peer.offer();

  expect(log).toEqual(["offer made", "paths by "]);
});

test("the camera alone is sent in VP9, and every picture is taken in both codecs", () => {
  makePeer(undefined, "vp9");
  const codecs = log.filter((entry) => entry.startsWith("codecs"));
  expect(codecs).toEqual([
    "codecs 0 audio/opus",
    "codecs 1 video/VP9 profile-id=0,video/VP8,video/rtx",
    "codecs 2 video/VP8,video/rtx",
    "codecs 3 audio/opus",
    ...[4, 5, 6, 7].map((id) => `codecs ${id} audio/opus`),
    ...[8, 9].map((id) => `codecs ${id} video/VP8,video/VP9 profile-id=0,video/rtx`),
  ]);
});

test("each layer of a camera names its mode in VP9, and none in VP8", () => {
  const modes = (codec: "vp8" | "vp9"): (string | undefined)[] => {
    log = [];
    FakeTransceiver.count = 0;
    makePeer(undefined, codec);
    return log.flatMap((entry) => /^layer 1 .*"scalabilityMode":"(\w+)"/.exec(entry)?.[1] ?? []);
  };
  expect(modes("vp9")).toEqual(["L1T3", "L1T3", "L1T3"]);
  expect(modes("vp8")).toEqual([]);
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
