/**
 * A call whose world is the test: its server, its peer connections and its devices.
 * @module
 */

import type { Member, MemberOptions, SlotAssignment, SlotRef } from "@conclave/e2ee";
import type {
  Admitted,
  Answer,
  ClientMessage,
  GroupCommand,
  GroupNews,
  GroupView,
  Joined,
  Mid,
  NodeFault,
  NodeStatement,
  ParticipantInfo,
  Person,
  PictureDemand,
  Relay,
  ServerMessage,
  TrackSource,
} from "@conclave/wire";
import { vi } from "vitest";

import { Call } from "./Call";
import type { CallEnv } from "./callEnv";
import { deriveKeys, drawMeetingId, type MeetingLink, makeLink } from "./link";
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
  /** Offers whose answer is waited for, and not for ever. */
  awaited = 0;
  closed = false;
  readonly sending = new Map<TrackSource, MediaStreamTrack | undefined>();
  /** What it was last told to encode of its pictures. */
  demanded: readonly PictureDemand[] = [];
  readonly answers: string[] = [];
  frames = new Map<Mid, number>();
  relay: Relay | undefined;
  /** What relayed media when its paths began to be looked for. */
  offeredBy: Relay | undefined;

  constructor(readonly options: PeerOptions) {
    this.generation = options.generation;
    this.videoSlots = options.videoSlots;
    this.relay = options.relay;
  }

  relayBy(relay: Relay | undefined): void {
    this.relay = relay;
  }

  prepare(): void {}

  async offer(): Promise<string> {
    this.isNegotiating = true;
    this.offeredBy = this.relay;
    return `offer ${this.generation} with ${this.videoSlots}`;
  }

  awaitAnswer(): void {
    this.awaited += 1;
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

  demand(pictures: readonly PictureDemand[]): void {
    this.demanded = pictures;
  }

  mid(source: TrackSource): Mid {
    return MIDS[source];
  }

  growVideo(slots: number): void {
    this.videoSlots = Math.max(slots, this.videoSlots);
  }

  /** From mid "4" on: four for sound, then pictures. */
  slotOf(mid: Mid): SlotRef {
    const { generation } = this;
    const index = Number(mid) - 4;
    return index < 4
      ? { generation, kind: "audio", index }
      : { generation, kind: "video", index: index - 4 };
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

/** A member that is in whatever group the test says. */
export class FakeMember implements Member {
  readonly heard: GroupNews[] = [];
  readonly commands: GroupCommand[] = [];
  readonly assigned: (readonly SlotAssignment[])[] = [];
  reconnections = 0;
  closed = false;
  /** What it finds wrong with a node. */
  fault: NodeFault | undefined;
  /** Whether its leaf can sign. */
  signs = true;
  readonly verified: [string, readonly string[], NodeStatement][] = [];

  constructor(readonly options: MemberOptions) {}

  /** The name that it came to the door with. */
  name: string | undefined;

  begin(name: string): void {
    this.name = name;
  }

  news(news: GroupNews): void {
    this.heard.push(news);
  }

  reconnected(): void {
    this.reconnections += 1;
  }

  command(command: GroupCommand): void {
    this.commands.push(command);
  }

  async verifyAnswer(
    sdp: string,
    relay: readonly string[],
    statement: NodeStatement,
  ): Promise<NodeFault | undefined> {
    this.verified.push([sdp, relay, statement]);
    return this.fault;
  }

  async signResume(challenge: string): Promise<string | undefined> {
    return this.signs ? `signed ${challenge}` : undefined;
  }

  assign(_generation: number, slots: readonly SlotAssignment[]): void {
    this.assigned.push(slots);
  }

  attachSender(): void {}

  attachReceiver(): void {}

  async frameCounts(): Promise<never> {
    throw new Error("nobody counts here");
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

/** Somebody in a meeting: in its group's tree, and on the server's list. */
export interface Someone {
  readonly person: Person;
  readonly info: ParticipantInfo;
}

/** The own leaf and credential of the first stay. */
export const OWN = 0;
export const ME = "me";

/** Somebody on the leaf `id`, with the participant number `id`. */
export function someone(
  id: number,
  name: string,
  info: Partial<ParticipantInfo> = {},
  person: Partial<Person> = {},
): Someone {
  return {
    info: {
      id,
      leaf: id,
      presence: { muted: false },
      connected: true,
      publications: [],
      ...info,
    },
    person: {
      leaf: id,
      credential: `c${id}`,
      name,
      role: "guest",
      proof: "linkOnly",
      nameShared: false,
      arrived: false,
      leaving: false,
      isSelf: false,
      ...person,
    },
  };
}

/** The group as this device has it, with these others in it. */
export function inGroup(others: readonly Someone[], part: Partial<GroupView> = {}): GroupView {
  const ownCredential = part.ownCredential ?? ME;
  const self = someone(OWN, "Ada", {}, { credential: ownCredential, isSelf: true }).person;
  return {
    state: "inGroup",
    ownLeaf: OWN,
    ownCredential,
    epoch: 1,
    people: [self, ...others.map(({ person }) => person)],
    order: { locked: false, mutes: [] },
    knocks: [],
    safetyCode: "00000 11111 22222 33333 44444 55555",
    shield: { level: "unverified", basedOn: [], notCovered: [] },
    ...part,
  };
}

/** The group as somebody outside has it. */
export function outside(state: GroupView["state"]): GroupView {
  const nothing = { ownLeaf: null, ownCredential: null, epoch: null, safetyCode: null, people: [] };
  return {
    ...inGroup([]),
    ...nothing,
    state,
    shield: { level: "none", basedOn: [], notCovered: [] },
  };
}

export function joinedAs(part: Partial<Joined>): ServerMessage {
  const joined: Joined = {
    participant: 7,
    resumeToken: "token",
    admitted: null,
    answer: null,
    mediaAlive: true,
    ...part,
  };
  return { type: "joined", joined };
}

export function admittedTo(
  others: readonly Someone[],
  leaf = OWN,
  relay: Relay | null = null,
): Admitted {
  return { leaf, others: others.map(({ info }) => info), publications: [], relay };
}

const STATEMENT: NodeStatement = { text: "{}", signature: "c2lnbmVk" };

export function answerTo(generation: number, sdp: string): Answer {
  return { generation, sdp, statement: STATEMENT };
}

export interface Harness {
  readonly call: Call;
  readonly link: MeetingLink;
  readonly sent: ClientMessage[];
  readonly peers: FakePeer[];
  readonly members: FakeMember[];
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
  /** The group is another. */
  show(view: GroupView): Promise<void>;
  /** What was sent of one type. */
  said<T extends ClientMessage["type"]>(type: T): Extract<ClientMessage, { type: T }>[];
  peer(): FakePeer;
  member(): FakeMember;
  /** Everything that has been promised has happened. */
  settle(): Promise<void>;
  /** Joins, and is at the door. */
  knock(): Promise<void>;
  /** The group has this device, and the server knows. */
  admit(others?: readonly Someone[], part?: Partial<GroupView>): Promise<void>;
  /** Joins, is let in, and media runs. */
  enter(others?: readonly Someone[]): Promise<void>;
}

/** What a test may give a call that the world does not have by itself. */
export type HarnessOptions = Partial<Pick<CallEnv, "hostKeys" | "isSupported">>;

/** Makes a call in a world of its own. Needs fake timers. */
export async function makeHarness(options: HarnessOptions = {}): Promise<Harness> {
  vi.stubGlobal("MediaStream", FakeStream);
  sessionStorage.clear();
  const link = await makeLink("https://localhost", drawMeetingId(), "{}");
  return openHarness(link, options);
}

/** The same tab after a reload: storage stays, the rest is new. */
export async function openHarness(
  link: MeetingLink,
  options: HarnessOptions = {},
): Promise<Harness> {
  const keys = await deriveKeys(link);
  const sent: ClientMessage[] = [];
  const peers: FakePeer[] = [];
  const members: FakeMember[] = [];
  const marks: string[] = [];
  let isUp = false;
  let sockets = 0;
  let events: SignalEvents | undefined;
  let devices: FakeDevices | undefined;

  const settle = async (): Promise<void> => {
    for (let i = 0; i < 100; i += 1) await Promise.resolve();
  };

  const world = {
    level: 0,
    screen: { kind: "off" } as ScreenSnapshot,
    screenEvents: undefined as ScreenEvents | undefined,
    meeting: async (): Promise<Meeting> => ({
      title: "Tea",
      participants: 0,
      constitution: '{"hostKey":"a key"}',
      cameraCodec: "auto",
    }),
  };

  const env: CallEnv = {
    deriveKeys: async () => keys,
    fetchMeeting: () => harness.meeting(),
    hostKeys: { find: async () => undefined },
    isSupported: () => true,
    warmUp: () => {},
    createMember: (memberOptions) => {
      const member = new FakeMember(memberOptions);
      members.push(member);
      return member;
    },
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
    // A browser that can all.
    cameraCodec: (wish) => (wish === "vp8" ? "vp8" : "vp9"),
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
    ...options,
  };

  const harness: Harness = {
    ...world,
    link,
    sent,
    peers,
    members,
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
      sockets += 1;
      events?.onUp(`challenge ${sockets}`);
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
    member() {
      const member = members.at(-1);
      if (member === undefined) throw new Error("no member yet");
      return member;
    },
    async show(view) {
      this.member().options.events.onView(view);
      await settle();
    },
    settle,
    async knock() {
      await this.up();
      call.join();
      await settle();
      await this.say(joinedAs({}));
    },
    async admit(others = [], part = {}) {
      await this.show(inGroup(others, part));
      await this.say({ type: "admitted", admitted: admittedTo(others) });
    },
    async enter(others = []) {
      await this.knock();
      await this.admit(others);
      const { generation } = this.peer();
      await this.say({ type: "answer", answer: answerTo(generation, `answer ${generation}`) });
      this.peer().options.events.onConnected();
      await settle();
    },
  };
  const call = new Call({ link, name: "Ada", env });
  await settle();
  return harness;
}
