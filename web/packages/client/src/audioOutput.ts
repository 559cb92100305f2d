import type { DeviceChoice } from "./snapshot";
import { canChooseSpeaker } from "./support";

/** Where the others are heard. */
export interface AudioOutput {
  /** Plays these tracks, one element each; those of the call before are let go. */
  play(tracks: readonly MediaStreamTrack[]): void;
  selectSpeaker(deviceId: string): void;
  /** Plays again what the browser refused to play without a gesture. */
  resume(): void;
  /** A short sound on the chosen loudspeaker. */
  test(): void;
  stop(): void;
}

const SPEAKER_KEY = "conclave.device.speaker";

/** Plays through one hidden element per audio slot. */
export class ElementOutput implements AudioOutput {
  #elements: HTMLAudioElement[] = [];
  #speaker: string = localStorage.getItem(SPEAKER_KEY) ?? "";

  constructor(private readonly onBlocked: () => void) {}

  play(tracks: readonly MediaStreamTrack[]): void {
    while (this.#elements.length < tracks.length) this.#elements.push(this.#makeElement());
    this.#elements.forEach((element, i) => {
      const track = tracks[i];
      element.srcObject = track === undefined ? null : new MediaStream([track]);
    });
    this.resume();
  }

  selectSpeaker(deviceId: string): void {
    this.#speaker = deviceId;
    localStorage.setItem(SPEAKER_KEY, deviceId);
    for (const element of this.#elements) this.#route(element);
  }

  resume(): void {
    for (const element of this.#elements) {
      if (element.srcObject === null) continue;
      element.play().catch((error: unknown) => {
        // `AbortError` only says that a later `play` took over.
        if (error instanceof DOMException && error.name === "NotAllowedError") this.onBlocked();
      });
    }
  }

  test(): void {
    const context = new AudioContext();
    const target = context.createMediaStreamDestination();
    const volume = new GainNode(context, { gain: 0 });
    const tone = new OscillatorNode(context, { frequency: 523.25 });
    tone.connect(volume).connect(target);
    const start = context.currentTime;
    volume.gain.linearRampToValueAtTime(0.25, start + 0.03);
    volume.gain.setValueAtTime(0.25, start + 0.35);
    volume.gain.linearRampToValueAtTime(0, start + 0.6);
    tone.frequency.setValueAtTime(659.25, start + 0.2);
    tone.start(start);
    tone.stop(start + 0.7);

    const element = this.#makeElement();
    element.srcObject = target.stream;
    element.play().catch(() => this.onBlocked());
    tone.onended = () => {
      element.srcObject = null;
      void context.close();
    };
  }

  stop(): void {
    for (const element of this.#elements) {
      element.pause();
      element.srcObject = null;
    }
    this.#elements = [];
  }

  #makeElement(): HTMLAudioElement {
    const element = new Audio();
    element.autoplay = true;
    this.#route(element);
    return element;
  }

  #route(element: HTMLAudioElement): void {
    if (!canChooseSpeaker() || (this.#speaker === "" && element.sinkId === "")) return;
    // An unplugged loudspeaker: the system's default plays.
    element.setSinkId(this.#speaker).catch(() => {});
  }
}

/** Loudspeakers to choose from; `[]` where the browser cannot choose or has no permission yet. */
export async function listSpeakers(): Promise<readonly DeviceChoice[]> {
  if (!canChooseSpeaker()) return [];
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices
    .filter(
      ({ kind, deviceId, label }) => kind === "audiooutput" && deviceId !== "" && label !== "",
    )
    .map(({ deviceId, label }) => ({ deviceId, label }));
}
