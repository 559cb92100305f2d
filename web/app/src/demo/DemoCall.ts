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
  SelfSnapshot,
} from "@conclave/client";
import type { ConnectionQuality, Want } from "@conclave/wire";
import { paintPerson, paintScreen } from "./scene";

export interface Scenario {
  readonly people: number;
  readonly phase: CallPhase["kind"];
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

  constructor(scenario: Scenario) {
    const others = Array.from({ length: scenario.people - 1 }, (_, at) => other(at, scenario));
    this.#snapshot = {
      phase: phaseOf(scenario),
      title: scenario.title,
      self: selfOf(scenario),
      others,
      activeSpeaker: others[0]?.id,
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

  dispose(): void {
    this.#listeners.clear();
  }

  #self(change: Partial<SelfSnapshot>): void {
    this.#change({ self: { ...this.#snapshot.self, ...change } });
  }

  #change(change: Partial<CallSnapshot>): void {
    this.#snapshot = { ...this.#snapshot, ...change };
    for (const listener of this.#listeners) listener();
  }
}

function phaseOf({ phase, end }: Scenario): CallPhase {
  switch (phase) {
    case "reconnecting":
      return { kind: "reconnecting", sinceMs: 0, attempt: 1 };
    case "ended":
      return { kind: "ended", reason: end };
    default:
      return { kind: phase };
  }
}

function selfOf(scenario: Scenario): SelfSnapshot {
  const cameraOn = scenario.cameraOn && scenario.cameraBlock === undefined;
  return {
    id: 0,
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

function other(at: number, { longNames, sharing }: Scenario): ParticipantSnapshot {
  const name = longNames && at % 3 === 0 ? LONG : (NAMES[at % NAMES.length] ?? "");
  const hasCamera = at % 5 !== 3;
  const state = at % 9 === 7 ? "paused" : at % 11 === 9 ? "waiting" : "live";
  return {
    id: at + 1,
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
