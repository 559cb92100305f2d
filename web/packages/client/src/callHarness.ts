/**
 * A call whose world is the test: its server, its peer connections and its devices.
 * @module
 */

import type {
  ClientMessage,
  Joined,
  Mid,
  ParticipantInfo,
  ServerMessage,
  TrackSource,
} from "@conclave/wire";
import { vi } from "vitest";

import { Call } from "./Call";
import type { CallEnv } from "./callEnv";
import { deriveKeys, type MeetingLink, makeLink, OPEN_LINK_POLICY, OpenError } from "./link";
import type { Meeting } from "./meetings";
import type { Peer, PeerOptions } from "./PeerLink";
import type { ScreenEvents } from "./ScreenShare";
import type { SignalEvents } from "./SignalSocket";
import type { DeviceSnapshot, ScreenSnapshot } from "./snapshot";

export class FakeTrack {
  constructor(readonly name: string) {}
}

export function fakeTrack(name: string): MediaStreamTrack {
  return new FakeTrack(name) as unknown as MediaStreamTrack;
}

/** happy-dom has no streams. */
class FakeStream {
  constructor(readonly tracks: readonly MediaStreamTrack[]) {}
}

const MIDS: Readonly<Record<TrackSource, Mid>> = {
  microphone: "0",
  camera: "1",
  screen: "2",
  screenAudio: "3",
};

export class FakePeer implements Peer {
  readonly generation: number;
  videoSlots: number;
  isNegotiating = false;
  closed = false;
  readonly sending = new Map<TrackSource, MediaStreamTrack | undefined>();
  readonly answers: string[] = [];
  frames = new Map<Mid, number>();

  constructor(readonly options: PeerOptions) {
    this.generation = options.generation;
    this.videoSlots = options.videoSlots;
  }

  async offer(): Promise<string> {
    this.isNegotiating = true;
    return `offer ${this.generation} with ${this.videoSlots}`;
  }

  async answer(sdp: string): Promise<void> {
    this.isNegotiating = false;
    this.answers.push(sdp);
  }

  async rollBack(): Promise<void> {
    this.isNegotiating = false;
  }

  send(source: TrackSource, track: MediaStreamTrack | undefined): void {
    this.sending.set(source, track);
  }

  mid(source: TrackSource): Mid {
    return MIDS[source];
  }

  growVideo(slots: number): void {
    this.videoSlots = Math.max(slots, this.videoSlots);
  }

  receivingTrack(mid: Mid): MediaStreamTrack {
    return fakeTrack(`${this.generation}/${mid}`);
  }

  audioTracks(): readonly MediaStreamTrack[] {
    return [];
  }

  async framesDecoded(): Promise<ReadonlyMap<Mid, number>> {
    return this.frames;
  }

  close(): void {
    this.closed = true;
  }
}

/** Devices that do as they are told, at once. */
export class FakeDevices {
  readonly tracks = new Map<"microphone" | "camera", MediaStreamTrack>();
  readonly on = new Set<"microphone" | "camera">();
  disposed = false;

  constructor(private readonly onChange: () => void) {}

  snapshot(kind: "microphone" | "camera"): DeviceSnapshot {
    return {
      state: { kind: this.on.has(kind) ? "on" : "off" },
      devices: [],
      selected: undefined,
    };
  }

  live(kind: "microphone" | "camera"): MediaStreamTrack | undefined {
    return this.on.has(kind) ? this.tracks.get(kind) : undefined;
  }

  heldMicrophone(): MediaStreamTrack | undefined {
    return this.tracks.get("microphone");
  }

  async prepare(wish: { readonly microphone: boolean; readonly camera: boolean }): Promise<void> {
    if (wish.microphone) await this.set("microphone", true);
    if (wish.camera) await this.set("camera", true);
  }

  async set(kind: "microphone" | "camera", on: boolean): Promise<void> {
    if (on) {
      this.on.add(kind);
      if (!this.tracks.has(kind)) this.tracks.set(kind, fakeTrack(kind));
    } else {
      this.on.delete(kind);
      if (kind === "camera") this.tracks.delete(kind);
    }
    this.onChange();
  }

  async select(kind: "microphone" | "camera", deviceId: string): Promise<void> {
    this.tracks.set(kind, fakeTrack(deviceId));
    this.onChange();
  }

  stop(): void {
    this.on.clear();
    this.tracks.clear();
    this.onChange();
  }

  dispose(): void {
    this.disposed = true;
  }
}

export interface Harness {
  readonly call: Call;
  readonly link: MeetingLink;
  readonly sent: ClientMessage[];
  readonly peers: FakePeer[];
  readonly devices: FakeDevices;
  readonly marks: string[];
  level: number;
  screen: ScreenSnapshot;
  screenEvents: ScreenEvents | undefined;
  /** How the meeting is answered for. */
  meeting: () => Promise<Meeting>;
  up(): Promise<void>;
  down(): void;
  say(message: ServerMessage): Promise<void>;
  /** What was sent of one type. */
  said<T extends ClientMessage["type"]>(type: T): Extract<ClientMessage, { type: T }>[];
  peer(): FakePeer;
  person(id: number, name: string, part?: Partial<ParticipantInfo>): Promise<ParticipantInfo>;
  /** Everything that has been promised has happened. */
  settle(): Promise<void>;
  /** Joins, and is answered. */
  enter(others?: readonly ParticipantInfo[]): Promise<void>;
}

export function joinedAs(part: Partial<Joined>): ServerMessage {
  const joined: Joined = {
    participant: 7,
    resumeToken: "token",
    others: [],
    publications: [],
    answer: null,
    mediaAlive: true,
    ...part,
  };
  return { type: "joined", joined };
}

/** Makes a call in a world of its own. Needs fake timers. */
export async function makeHarness(): Promise<Harness> {
  vi.stubGlobal("MediaStream", FakeStream);
  sessionStorage.clear();
  const link = await makeLink("https://localhost", OPEN_LINK_POLICY);
  return openHarness(link);
}

/** The same tab after a reload: storage stays, the rest is new. */
export async function openHarness(link: MeetingLink): Promise<Harness> {
  const keys = await deriveKeys(link);
  const sent: ClientMessage[] = [];
  const peers: FakePeer[] = [];
  const marks: string[] = [];
  let isUp = false;
  let events: SignalEvents | undefined;
  let devices: FakeDevices | undefined;

  const settle = async (): Promise<void> => {
    for (let i = 0; i < 100; i += 1) await Promise.resolve();
  };

  const world = {
    level: 0,
    screen: { kind: "off" } as ScreenSnapshot,
    screenEvents: undefined as ScreenEvents | undefined,
    meeting: async (): Promise<Meeting> => ({ title: "Tea", participants: 0 }),
  };

  const env: CallEnv = {
    deriveKeys: async () => keys,
    // Sealing has tests of its own; here it must not take other threads' time.
    sealProfile: async (_meta, { name }) => `sealed ${name}`,
    openProfile: async (_meta, blob) => {
      if (!blob.startsWith("sealed ")) throw new OpenError("authentication");
      return { name: blob.slice("sealed ".length) };
    },
    fetchMeeting: () => harness.meeting(),
    createSocket: (_url, socketEvents) => {
      events = socketEvents;
      return {
        open: () => {},
        close: () => {
          isUp = false;
        },
        send: (message) => {
          if (isUp) sent.push(message);
          return isUp;
        },
        get isUp() {
          return isUp;
        },
      };
    },
    createPeer: (options) => {
      const peer = new FakePeer(options);
      peers.push(peer);
      return peer;
    },
    createDevices: ({ onChange }) => {
      devices = new FakeDevices(onChange);
      return devices;
    },
    createScreen: (screenEvents) => {
      harness.screenEvents = screenEvents;
      const tracks = { video: fakeTrack("screen"), audio: fakeTrack("screenAudio") };
      return {
        get snapshot() {
          return harness.screen;
        },
        get videoTrack() {
          return harness.screen.kind === "on" ? tracks.video : undefined;
        },
        get audioTrack() {
          return harness.screen.kind === "on" && harness.screen.withAudio
            ? tracks.audio
            : undefined;
        },
        start: async () => {},
        stop: () => {
          harness.screen = { kind: "off" };
          screenEvents.onChange();
        },
      };
    },
    createOutput: () => ({
      play: () => {},
      selectSpeaker: () => {},
      resume: () => {},
      test: () => {},
      stop: () => {},
    }),
    listSpeakers: async () => [],
    createMeter: () => ({ measure: () => {}, level: () => harness.level, close: () => {} }),
    storage: sessionStorage,
    nowMs: () => Date.now(),
    mark: (name) => marks.push(name),
  };

  const harness: Harness = {
    ...world,
    link,
    sent,
    peers,
    marks,
    get call() {
      return call;
    },
    get devices() {
      if (devices === undefined) throw new Error("the call makes its devices first");
      return devices;
    },
    async up() {
      isUp = true;
      events?.onUp();
      await settle();
    },
    down() {
      isUp = false;
      events?.onDown();
    },
    async say(message) {
      events?.onMessage(message);
      await settle();
    },
    said: (type) => sent.filter((message): message is never => message.type === type),
    peer() {
      const peer = peers.at(-1);
      if (peer === undefined) throw new Error("no peer connection yet");
      return peer;
    },
    async person(id, name, part = {}) {
      const profile = `sealed ${name}`;
      return {
        id,
        profile,
        presence: { muted: false },
        connected: true,
        publications: [],
        ...part,
      };
    },
    settle,
    async enter(others = []) {
      await this.up();
      call.join();
      await settle();
      const { generation } = this.peer();
      const answer = { generation, sdp: `answer ${generation}` };
      await this.say(joinedAs({ others: [...others], answer }));
      this.peer().options.events.onConnected();
      await settle();
    },
  };
  const call = new Call({ link, name: "Ada", env });
  await settle();
  return harness;
}
