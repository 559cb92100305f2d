/**
 * A call without a server: made-up people who do as the scenario says.
 * @module
 */

import type {
  CallCommands,
  CallPhase,
  CallSnapshot,
  DeviceBlock,
  DeviceChoice,
  DeviceSnapshot,
  Notice,
  NoticeKind,
  ParticipantSnapshot,
  PersonId,
  SelfSnapshot,
} from "@conclave/client";
import type {
  ConnectionQuality,
  MemberRole,
  MemberState,
  MuteWhat,
  ParticipantId,
  Reaction,
  ShieldLevel,
  Want,
} from "@conclave/wire";
import { groupOf, nextKnocks, SELF, withCompared } from "./demoGroup";
import { chatOf, REACTION_MS, reactionsOf } from "./demoTalk";
import { paintPerson, paintScreen } from "./scene";

export interface Scenario {
  readonly people: number;
  readonly phase: CallPhase["kind"];
  /** For `waiting`. */
  readonly why: "admission" | "host";
  /** This person's role. */
  readonly role: MemberRole;
  /** How many knock. */
  readonly knocks: number;
  readonly locked: boolean;
  readonly state: MemberState;
  readonly shield: ShieldLevel;
  /** Two have the same name, one goes, one has just come, one may not send everything. */
  readonly oddities: boolean;
  /** People have written to each other. */
  readonly chat: boolean;
  /** This person may not write. */
  readonly chatForbidden: boolean;
  /** How many others have raised a hand. */
  readonly hands: number;
  /** How many reactions are shown; they do not pass. */
  readonly reactions: number;
  readonly end: Extract<CallPhase, { kind: "ended" }>["reason"];
  readonly title: string;
  readonly name: string;
  readonly sharing: boolean;
  readonly selfSharing: boolean;
  readonly longNames: boolean;
  readonly notices: readonly NoticeKind[];
  readonly cameraBlock: DeviceBlock | undefined;
  readonly microphoneBlock: DeviceBlock | undefined;
  readonly microphoneOn: boolean;
  readonly cameraOn: boolean;
}

const NAMES = [
  "Amara Okafor",
  "林佳穎",
  "Jonas Weber",
  "Dewi Lestari",
  "Camille Lefèvre",
  "陳志明",
  "Sofía Herrera",
  "Budi Santoso",
  "Ingrid Solberg",
  "Nikhil Rao",
  "王美玲",
  "Tomasz Nowak",
];
const LONG = "Dr. Maximiliane-Alexandra von und zu Oberschweinsteiger-Wattenscheid";
const QUALITIES: readonly ConnectionQuality[] = ["good", "good", "fair", "good", "poor", "good"];

/** Plays a scenario. Commands change the snapshot as a real call would. */
export class DemoCall implements CallCommands {
  #snapshot: CallSnapshot;
  readonly #listeners = new Set<() => void>();
  #views = 0;
  #nextReaction = 1000;

  constructor(scenario: Scenario) {
    const others = Array.from({ length: scenario.people - 1 }, (_, at) => other(at, scenario));
    this.#snapshot = {
      phase: phaseOf(scenario),
      title: scenario.title,
      self: selfOf(scenario),
      others,
      activeSpeaker: others[0]?.id,
      group: groupOf(scenario),
      chat: scenario.chat ? chatOf(scenario, others) : [],
      hands: others.slice(0, scenario.hands).map(({ id }) => id),
      reactions: reactionsOf(scenario.reactions, others),
      notices: scenario.notices.map(
        (kind, id): Notice => ({ id, kind, name: NAMES[id % NAMES.length] ?? "" }),
      ),
    };
  }

  /** Makes the next one speak, as a test or a viewer may want. */
  speakNext(): void {
    const { others, activeSpeaker } = this.#snapshot;
    const at = others.findIndex(({ id }) => id === activeSpeaker);
    const next = others[(at + 1) % others.length];
    if (next === undefined) return;
    this.#change({
      activeSpeaker: next.id,
      others: others.map((one) =>
        one.speaking === (one.id === next.id) ? one : { ...one, speaking: one.id === next.id },
      ),
    });
  }

  /** Makes the next one knock. */
  knock(): void {
    this.#group({ knocks: nextKnocks(this.#snapshot.group.knocks) });
  }

  /** How often `setView` was called, and the last wish. */
  view: { count: number; wants: readonly Want[] } = { count: 0, wants: [] };

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  snapshot(): CallSnapshot {
    return this.#snapshot;
  }

  async prepare(): Promise<void> {}

  setName(name: string): void {
    this.#self({ name });
  }

  join(): void {
    this.#change({ phase: { kind: "joining" } });
    setTimeout(() => this.#change({ phase: { kind: "inCall" } }), 400);
  }

  rejoin(): void {
    this.join();
  }

  leave(): void {
    this.#change({ phase: { kind: "ended", reason: { kind: "left" } } });
  }

  setMicrophone(on: boolean): void {
    const { microphone } = this.#snapshot.self;
    if (microphone.state.kind === "blocked") return;
    this.#self({ microphone: { ...microphone, state: { kind: on ? "on" : "off" } } });
  }

  setCamera(on: boolean): void {
    const { camera } = this.#snapshot.self;
    if (camera.state.kind === "blocked") return;
    this.#self({
      camera: { ...camera, state: { kind: on ? "on" : "off" } },
      cameraStream: on ? paintPerson(11) : undefined,
    });
  }

  selectMicrophone(selected: string): void {
    this.#self({ microphone: { ...this.#snapshot.self.microphone, selected } });
  }

  selectCamera(selected: string): void {
    this.#self({ camera: { ...this.#snapshot.self.camera, selected } });
  }

  speakers(): readonly DeviceChoice[] {
    return [
      { deviceId: "default", label: "Default" },
      { deviceId: "jabra", label: "Jabra Speak 750" },
    ];
  }

  selectSpeaker(): void {}

  startScreen(): void {
    this.#self({ screen: { kind: "on", stream: paintScreen(), withAudio: false } });
  }

  stopScreen(): void {
    this.#self({ screen: { kind: "off" } });
  }

  setView(wants: readonly Want[]): void {
    this.#views += 1;
    this.view = { count: this.#views, wants };
  }

  microphoneLevel(): number {
    if (this.#snapshot.self.microphone.state.kind !== "on") return 0;
    return 0.2 + 0.15 * Math.sin(performance.now() / 170);
  }

  testSpeaker(): void {}

  resumeAudio(): void {}

  dismiss(noticeId: number): void {
    this.#change({ notices: this.#snapshot.notices.filter(({ id }) => id !== noticeId) });
  }

  admit(knocker: ParticipantId): void {
    const { knocks } = this.#snapshot.group;
    const knock = knocks.find((one) => one.knocker === knocker);
    if (knock === undefined) return;
    this.deny(knocker);
    const { others } = this.#snapshot;
    const guest: ParticipantSnapshot = {
      ...other(others.length, { longNames: false, sharing: false, oddities: false }),
      id: `knocker ${String(knocker)}`,
      name: knock.name,
      role: knock.hostProven ? "host" : "guest",
      proof: knock.hostProven ? "hostKey" : "linkOnly",
      arrived: true,
    };
    this.#change({ others: [...others, guest] });
  }

  deny(knocker: ParticipantId): void {
    const { group } = this.#snapshot;
    this.#group({ knocks: group.knocks.filter((one) => one.knocker !== knocker) });
  }

  kick(person: PersonId): void {
    this.#other(person, { leaving: true });
  }

  appoint(person: PersonId, role: MemberRole): void {
    this.#other(person, { role });
  }

  forbid(person: PersonId, what: MuteWhat, on: boolean): void {
    const before = this.#snapshot.others.find(({ id }) => id === person)?.forbidden ?? [];
    const rest = before.filter((one) => one !== what);
    this.#other(person, { forbidden: on ? [...rest, what] : rest });
  }

  askToMute(person: PersonId | undefined): void {
    for (const { id } of this.#snapshot.others) {
      if (person === undefined || id === person) this.#other(id, { muted: true });
    }
  }

  lock(locked: boolean): void {
    this.#group({ locked });
  }

  codeCompared(): void {
    this.#group({ shield: withCompared(this.#snapshot.group.shield) });
  }

  sendChat(text: string): void {
    const { chat, self } = this.#snapshot;
    const id = (chat.at(-1)?.id ?? -1) + 1;
    const { name, role } = self;
    this.#change({
      chat: [...chat, { id, from: SELF, name, role, isOwn: true, text, atMs: Date.now() }],
    });
  }

  react(reaction: Reaction): void {
    this.reactAs(SELF, this.#snapshot.self.name, reaction);
  }

  /** Someone else writes. */
  write(person: PersonId, text: string): void {
    const { chat, others } = this.#snapshot;
    const from = others.find(({ id }) => id === person);
    if (from === undefined) return;
    const { name, role } = from;
    const id = (chat.at(-1)?.id ?? -1) + 1;
    const message = { id, from: person, name, role, isOwn: false, text, atMs: Date.now() };
    this.#change({ chat: [...chat, message] });
  }

  /** Someone reacts, for some seconds. */
  reactAs(from: PersonId, name: string, reaction: Reaction): void {
    const { reactions } = this.#snapshot;
    const shown = { id: this.#nextReaction++, from, name, reaction };
    this.#change({ reactions: [...reactions, shown] });
    setTimeout(() => {
      this.#change({ reactions: this.#snapshot.reactions.filter((one) => one !== shown) });
    }, REACTION_MS);
  }

  /** Someone raises or lowers a hand. */
  raiseAs(person: PersonId, up: boolean): void {
    const rest = this.#snapshot.hands.filter((id) => id !== person);
    this.#change({ hands: up ? [...rest, person] : rest });
  }

  /** A host forbids this person something, or allows it again. */
  forbidSelf(what: MuteWhat, on: boolean): void {
    const rest = this.#snapshot.self.forbidden.filter((one) => one !== what);
    this.#self({ forbidden: on ? [...rest, what] : rest });
  }

  raiseHand(up: boolean): void {
    this.raiseAs(SELF, up);
  }

  rejoinGroup(): void {
    this.#group({ state: "inGroup" });
  }

  dispose(): void {
    this.#listeners.clear();
  }

  #group(change: Partial<CallSnapshot["group"]>): void {
    this.#change({ group: { ...this.#snapshot.group, ...change } });
  }

  #other(person: PersonId, change: Partial<ParticipantSnapshot>): void {
    this.#change({
      others: this.#snapshot.others.map((one) => (one.id === person ? { ...one, ...change } : one)),
    });
  }

  #self(change: Partial<SelfSnapshot>): void {
    this.#change({ self: { ...this.#snapshot.self, ...change } });
  }

  #change(change: Partial<CallSnapshot>): void {
    this.#snapshot = { ...this.#snapshot, ...change };
    for (const listener of this.#listeners) listener();
  }
}

function phaseOf({ phase, end, why }: Scenario): CallPhase {
  switch (phase) {
    case "reconnecting":
      return { kind: "reconnecting", sinceMs: 0, attempt: 1 };
    case "ended":
      return { kind: "ended", reason: end };
    case "waiting":
      return { kind: "waiting", why };
    default:
      return { kind: phase };
  }
}

function selfOf(scenario: Scenario): SelfSnapshot {
  const cameraOn = scenario.cameraOn && scenario.cameraBlock === undefined;
  return {
    id: isInside(scenario) ? SELF : undefined,
    role: scenario.role,
    proof: scenario.role === "host" ? "hostKey" : "linkOnly",
    nameShared: false,
    forbidden: scenario.chatForbidden ? ["chat"] : [],
    name: scenario.name,
    quality: "good",
    speaking: false,
    microphone: device(scenario.microphoneBlock, scenario.microphoneOn, [
      "MacBook Pro Microphone",
      "Jabra Speak 750",
    ]),
    camera: device(scenario.cameraBlock, cameraOn, ["FaceTime HD Camera", "Logitech Brio"]),
    cameraStream: cameraOn ? paintPerson(11) : undefined,
    screen: scenario.selfSharing
      ? { kind: "on", stream: paintScreen(), withAudio: true }
      : { kind: "off" },
  };
}

function isInside({ phase }: Scenario): boolean {
  return phase === "inCall" || phase === "reconnecting";
}

function device(
  block: DeviceBlock | undefined,
  on: boolean,
  labels: readonly string[],
): DeviceSnapshot {
  const none = block === "noDevice" || block === "noPermission";
  return {
    state: block === undefined ? { kind: on ? "on" : "off" } : { kind: "blocked", why: block },
    devices: none ? [] : labels.map((label) => ({ deviceId: label, label })),
    selected: none ? undefined : labels[0],
  };
}

type OtherWish = Pick<Scenario, "longNames" | "sharing" | "oddities">;

const ROLES: readonly MemberRole[] = ["host", "guest", "coHost", "guest", "admitter"];

function other(at: number, { longNames, sharing, oddities }: OtherWish): ParticipantSnapshot {
  const isDouble = oddities && at === 3;
  const name = longNames && at % 3 === 0 ? LONG : (NAMES[isDouble ? 1 : at % NAMES.length] ?? "");
  const role = ROLES[at] ?? "guest";
  const hasCamera = at % 5 !== 3;
  const state = at % 9 === 7 ? "paused" : at % 11 === 9 ? "waiting" : "live";
  return {
    id: String(at + 1),
    participant: at + 1,
    role,
    proof: role === "host" ? "hostKey" : "linkOnly",
    nameShared: isDouble || (oddities && at === 1),
    forbidden: oddities && at === 4 ? ["microphone", "chat"] : [],
    arrived: oddities && at === 5,
    leaving: oddities && at === 6,
    name,
    muted: at % 3 === 1,
    speaking: at === 0,
    connected: at % 13 !== 12,
    quality: QUALITIES[at % QUALITIES.length] ?? "good",
    camera: hasCamera
      ? { publication: 100 + at, source: "camera", stream: paintPerson(at), state }
      : undefined,
    screen:
      sharing && at === 0
        ? { publication: 900, source: "screen", stream: paintScreen(), state: "live" }
        : undefined,
    screenAudio: false,
  };
}
