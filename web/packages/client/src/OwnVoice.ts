import { SPEAKING_LEVEL } from "./LevelMeter";

/** What {@link OwnVoice} asks and reports. */
export interface OwnVoiceHooks {
  /** Level of the own microphone, 0 to 1. */
  level(): number;
  /** Whether others hear it. */
  isLive(): boolean;
  nowMs(): number;
  /** `isSpeaking` is another. */
  onChange(): void;
  /** A voice, for a while, into a microphone that is off. */
  onUnheard(): void;
}

/** How often the level is looked at. */
const LOOK_EVERY_MS = 100;

/** Said once, then not again for so long: who coughs while muted knows. */
const UNHEARD_EVERY_MS = 30_000;

/** So many looks in a row must hear a voice: not a key, not a door. */
const UNHEARD_LOOKS = 5;

/** Watches the own microphone: whether one speaks, and whether one does so unheard. */
export class OwnVoice {
  #isSpeaking = false;
  #unheardLooks = 0;
  #unheardAtMs = Number.NEGATIVE_INFINITY;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly hooks: OwnVoiceHooks) {}

  get isSpeaking(): boolean {
    return this.#isSpeaking;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#isSpeaking = false;
  }

  #look(): void {
    const isVoice = this.hooks.level() > SPEAKING_LEVEL;
    const isLive = this.hooks.isLive();
    if (this.#isSpeaking !== (isVoice && isLive)) {
      this.#isSpeaking = isVoice && isLive;
      this.hooks.onChange();
    }
    this.#unheardLooks = isVoice && !isLive ? this.#unheardLooks + 1 : 0;
    const nowMs = this.hooks.nowMs();
    const isNews = nowMs - this.#unheardAtMs > UNHEARD_EVERY_MS;
    if (this.#unheardLooks >= UNHEARD_LOOKS && isNews) {
      this.#unheardAtMs = nowMs;
      this.hooks.onUnheard();
    }
  }
}
