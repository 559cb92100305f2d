import type { ScreenSnapshot } from "./snapshot";

/** What a {@link ScreenShare} reports. */
export interface ScreenEvents {
  onChange(): void;
  /** The browser's own button, or the shared window closed. */
  onStopped(): void;
  onFailed(): void;
}

/** Options that browsers know and TypeScript's library does not. */
interface ScreenOptions extends DisplayMediaStreamOptions {
  readonly selfBrowserSurface?: "exclude" | "include";
  readonly surfaceSwitching?: "exclude" | "include";
  readonly systemAudio?: "exclude" | "include";
}

const SCREEN_OPTIONS: ScreenOptions = {
  video: { frameRate: { ideal: 15, max: 30 } },
  // The sound of a film, not a voice: nothing is to be cleaned away.
  audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
  // One's own call in one's own call is an endless corridor.
  selfBrowserSurface: "exclude",
  surfaceSwitching: "include",
  systemAudio: "include",
};

/** The shared screen of this computer. */
export class ScreenShare {
  #snapshot: ScreenSnapshot;
  #wish = 0;

  /** `capture` is `getDisplayMedia`, or `undefined` where the browser has none. */
  constructor(
    private readonly events: ScreenEvents,
    private readonly capture:
      | ((options: DisplayMediaStreamOptions) => Promise<MediaStream>)
      | undefined,
  ) {
    this.#snapshot = { kind: capture === undefined ? "unsupported" : "off" };
  }

  get snapshot(): ScreenSnapshot {
    return this.#snapshot;
  }

  get videoTrack(): MediaStreamTrack | undefined {
    return this.#snapshot.kind === "on" ? this.#snapshot.stream.getVideoTracks()[0] : undefined;
  }

  get audioTrack(): MediaStreamTrack | undefined {
    return this.#snapshot.kind === "on" ? this.#snapshot.stream.getAudioTracks()[0] : undefined;
  }

  async start(): Promise<void> {
    if (this.capture === undefined || this.#snapshot.kind !== "off") return;
    this.#wish += 1;
    const ticket = this.#wish;
    this.#become({ kind: "starting" });
    try {
      const stream = await this.capture(SCREEN_OPTIONS);
      if (ticket === this.#wish) this.#adopt(stream);
      else stopAll(stream);
    } catch (error) {
      if (ticket !== this.#wish) return;
      this.#become({ kind: "off" });
      // Closing the browser's dialogue is a choice, not a failure. Chromium words a refusal by
      // the operating system differently, under the same name.
      const isChoice = error instanceof DOMException && error.name === "NotAllowedError";
      if (!isChoice || /system/i.test(error.message)) this.events.onFailed();
    }
  }

  stop(): void {
    this.#wish += 1;
    if (this.#snapshot.kind === "on") stopAll(this.#snapshot.stream);
    if (this.#snapshot.kind !== "unsupported") this.#become({ kind: "off" });
  }

  #adopt(stream: MediaStream): void {
    const [video] = stream.getVideoTracks();
    if (video === undefined) {
      this.#become({ kind: "off" });
      this.events.onFailed();
      return;
    }
    video.contentHint = "detail";
    video.onended = () => {
      this.stop();
      this.events.onStopped();
    };
    this.#become({ kind: "on", stream, withAudio: stream.getAudioTracks().length > 0 });
  }

  #become(snapshot: ScreenSnapshot): void {
    if (snapshot.kind === this.#snapshot.kind) return;
    this.#snapshot = snapshot;
    this.events.onChange();
  }
}

function stopAll(stream: MediaStream): void {
  for (const track of stream.getTracks()) {
    track.onended = null;
    track.stop();
  }
}
