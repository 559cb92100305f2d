import type { DeviceBlock, DeviceChoice, DeviceSnapshot } from "./snapshot";

/** A capturing device that a call can use. */
export type DeviceKind = "microphone" | "camera";

/** What {@link LocalDevices} reports. */
export interface DeviceEvents {
  /** Something in a snapshot, or a track, is another. */
  onChange(): void;
  /** The device in use is gone: unplugged, or permission was taken away. */
  onLost(kind: DeviceKind): void;
  /** It could not be switched on. */
  onFailed(kind: DeviceKind): void;
}

/** What {@link LocalDevices} stands on; a test passes its own. */
export interface DevicesEnv {
  readonly media: Pick<
    MediaDevices,
    "getUserMedia" | "enumerateDevices" | "addEventListener" | "removeEventListener"
  >;
  readonly storage: Pick<Storage, "getItem" | "setItem">;
}

/** What comes in between: on, off, or on its way. */
type State = DeviceSnapshot["state"];

interface Device {
  state: State;
  /** Held while on; a microphone also while off, so that speaking while muted can be noticed. */
  track: MediaStreamTrack | undefined;
  choices: readonly DeviceChoice[];
  selected: string | undefined;
  /** Counts wishes: what an older one brings is dropped. */
  wish: number;
}

/**
 * Camera and microphone of this computer.
 *
 * A camera that is off is stopped, and its light goes out. A microphone that is off stays open
 * (nothing of it is sent) once it was on.
 */
export class LocalDevices {
  readonly #devices: Readonly<Record<DeviceKind, Device>>;
  readonly #onDeviceChange = (): void => void this.#enumerate();

  constructor(
    private readonly events: DeviceEvents,
    private readonly env: DevicesEnv,
  ) {
    this.#devices = {
      microphone: this.#fresh("microphone"),
      camera: this.#fresh("camera"),
    };
    env.media.addEventListener("devicechange", this.#onDeviceChange);
    void this.#enumerate();
  }

  snapshot(kind: DeviceKind): DeviceSnapshot {
    const { state, choices, selected } = this.#devices[kind];
    return { state, devices: choices, selected };
  }

  /** What others may get: the track while the device is on. */
  live(kind: DeviceKind): MediaStreamTrack | undefined {
    const { state, track } = this.#devices[kind];
    return state.kind === "on" ? track : undefined;
  }

  /** The microphone's track even while it is off, to measure its level. */
  heldMicrophone(): MediaStreamTrack | undefined {
    return this.#devices.microphone.track;
  }

  /** Switches on what is wished for, with one question for both where the browser asks. */
  async prepare(wish: Readonly<Record<DeviceKind, boolean>>): Promise<void> {
    const kinds = (["microphone", "camera"] as const).filter(
      (kind) => wish[kind] && this.#devices[kind].state.kind !== "on",
    );
    if (kinds.length < 2) {
      await Promise.all(kinds.map((kind) => this.#start(kind)));
      return;
    }
    const wishes = kinds.map((kind) => [kind, this.#begin(kind)] as const);
    let stream: MediaStream | undefined;
    try {
      stream = await this.env.media.getUserMedia({
        audio: this.#constraints("microphone", "chosen"),
        video: this.#constraints("camera", "chosen"),
      });
    } catch {
      // One of them may still work: a denied camera does not silence a microphone.
    }
    if (stream === undefined) {
      await Promise.all(wishes.map(([kind, ticket]) => this.#acquire(kind, ticket)));
      return;
    }
    for (const [kind, ticket] of wishes) {
      const [track] = kind === "camera" ? stream.getVideoTracks() : stream.getAudioTracks();
      if (track !== undefined) this.#adopt(kind, ticket, track);
    }
    await this.#enumerate();
  }

  async set(kind: DeviceKind, on: boolean): Promise<void> {
    const device = this.#devices[kind];
    if (on) {
      if (device.state.kind === "on" || device.state.kind === "starting") return;
      if (device.track?.readyState === "live") {
        device.state = { kind: "on" };
        this.events.onChange();
      } else {
        await this.#start(kind);
      }
      return;
    }
    device.wish += 1;
    if (device.state.kind === "blocked") return;
    device.state = { kind: "off" };
    if (kind === "camera") this.#drop(device);
    this.events.onChange();
  }

  async select(kind: DeviceKind, deviceId: string): Promise<void> {
    const device = this.#devices[kind];
    device.selected = deviceId;
    this.env.storage.setItem(storageKey(kind), deviceId);
    const wasOn = device.state.kind === "on" || device.state.kind === "starting";
    if (device.track !== undefined || wasOn || device.state.kind === "blocked") {
      // Some phones cannot open a second camera beside the first.
      this.#drop(device);
      if (wasOn || device.state.kind === "blocked") {
        await this.#start(kind);
        return;
      }
    }
    this.events.onChange();
  }

  /** Stops both; a call may start them again. */
  stop(): void {
    for (const device of Object.values(this.#devices)) {
      device.wish += 1;
      this.#drop(device);
      if (device.state.kind !== "blocked") device.state = { kind: "off" };
    }
    this.events.onChange();
  }

  dispose(): void {
    this.env.media.removeEventListener("devicechange", this.#onDeviceChange);
    this.stop();
  }

  #fresh(kind: DeviceKind): Device {
    const selected = this.env.storage.getItem(storageKey(kind)) ?? undefined;
    return { state: { kind: "off" }, track: undefined, choices: [], selected, wish: 0 };
  }

  #start(kind: DeviceKind): Promise<void> {
    return this.#acquire(kind, this.#begin(kind));
  }

  #begin(kind: DeviceKind): number {
    const device = this.#devices[kind];
    device.wish += 1;
    device.state = { kind: "starting" };
    this.events.onChange();
    return device.wish;
  }

  /** From the chosen device to any: what is remembered may be unplugged, or too strict. */
  async #acquire(kind: DeviceKind, ticket: number): Promise<void> {
    let why: DeviceBlock = "failed";
    for (const strictness of ["chosen", "preferred", "any"] as const) {
      if (strictness === "chosen" && this.#devices[kind].selected === undefined) continue;
      const constraints = this.#constraints(kind, strictness);
      try {
        const stream = await this.env.media.getUserMedia(
          kind === "camera" ? { video: constraints } : { audio: constraints },
        );
        const [track] = stream.getTracks();
        if (track === undefined) continue;
        this.#adopt(kind, ticket, track);
        await this.#enumerate();
        return;
      } catch (error) {
        why = blockOf(error);
        if (why === "noPermission") break;
        // Some browsers say so of a chosen device that is unplugged, though there are others.
        if (why === "noDevice" && strictness !== "chosen") break;
      }
    }
    const device = this.#devices[kind];
    if (device.wish !== ticket) return;
    device.state = { kind: "blocked", why };
    this.events.onChange();
    this.events.onFailed(kind);
  }

  #adopt(kind: DeviceKind, ticket: number, track: MediaStreamTrack): void {
    const device = this.#devices[kind];
    if (device.wish !== ticket) {
      // It was switched off, or another was chosen, while this one was opening.
      track.stop();
      return;
    }
    this.#drop(device);
    if (kind === "camera") track.contentHint = "motion";
    track.onended = () => void this.#onEnded(kind, track);
    device.track = track;
    device.state = { kind: "on" };
    device.selected = track.getSettings().deviceId ?? device.selected;
    this.events.onChange();
  }

  async #onEnded(kind: DeviceKind, track: MediaStreamTrack): Promise<void> {
    const device = this.#devices[kind];
    if (device.track !== track) return;
    const wasOn = device.state.kind === "on";
    device.track = undefined;
    if (!wasOn) return;
    this.events.onLost(kind);
    device.selected = undefined;
    await this.#start(kind);
  }

  #drop(device: Device): void {
    if (device.track === undefined) return;
    device.track.onended = null;
    device.track.stop();
    device.track = undefined;
  }

  #constraints(
    kind: DeviceKind,
    strictness: "chosen" | "preferred" | "any",
  ): MediaTrackConstraints | true {
    if (strictness === "any") return true;
    const { selected } = this.#devices[kind];
    // A browser may take another device than an `ideal` one; what was chosen must be it.
    const device =
      strictness === "preferred" || selected === undefined ? {} : { deviceId: { exact: selected } };
    return kind === "camera"
      ? {
          ...device,
          width: { ideal: 1280 },
          height: { ideal: 720 },
          frameRate: { ideal: 30 },
        }
      : { ...device, echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  }

  async #enumerate(): Promise<void> {
    const infos = await this.env.media.enumerateDevices().catch(() => []);
    const choices = (wanted: MediaDeviceKind): readonly DeviceChoice[] =>
      infos
        .filter(({ kind, deviceId, label }) => kind === wanted && deviceId !== "" && label !== "")
        .map(({ deviceId, label }) => ({ deviceId, label }));
    this.#devices.microphone.choices = choices("audioinput");
    this.#devices.camera.choices = choices("videoinput");
    this.events.onChange();
  }
}

/** Remembered across meetings: which of one's own devices one likes is no secret. */
function storageKey(kind: DeviceKind): string {
  return `conclave.device.${kind}`;
}

/** What a failed `getUserMedia` means. The names are those of the Media Capture specification. */
export function blockOf(error: unknown): DeviceBlock {
  const name = error instanceof DOMException || error instanceof Error ? error.name : "";
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      return "noPermission";
    case "NotFoundError":
      return "noDevice";
    case "AbortError":
    case "NotReadableError":
      return "inUse";
    default:
      return "failed";
  }
}
