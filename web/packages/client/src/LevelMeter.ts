/** On the scale of {@link LevelMeter.level}: louder than a quiet room, softer than a voice (-37 dB). */
export const SPEAKING_LEVEL = 0.38;

/** Measures how loud a microphone is. */
export class LevelMeter {
  #context: AudioContext | undefined;
  #source: MediaStreamAudioSourceNode | undefined;
  #analyser: AnalyserNode | undefined;
  #samples = new Float32Array(0);
  #track: MediaStreamTrack | undefined;

  /** Measures this track from here on. */
  measure(track: MediaStreamTrack | undefined): void {
    if (track === this.#track) return;
    this.#source?.disconnect();
    this.#source = undefined;
    this.#track = track;
    if (track === undefined) return;
    this.#context ??= new AudioContext();
    this.#analyser ??= new AnalyserNode(this.#context, { fftSize: 1024 });
    this.#samples = new Float32Array(this.#analyser.fftSize);
    this.#source = this.#context.createMediaStreamSource(new MediaStream([track]));
    this.#source.connect(this.#analyser);
    void this.#context.resume();
  }

  /** 0 to 1, on a scale that follows the ear: 0 at -60 dB, 1 at full scale. */
  level(): number {
    if (this.#source === undefined || this.#analyser === undefined) return 0;
    this.#analyser.getFloatTimeDomainData(this.#samples);
    const power = this.#samples.reduce((sum, sample) => sum + sample * sample, 0);
    const decibels = 10 * Math.log10(power / this.#samples.length + 1e-12);
    return Math.min(1, Math.max(0, (decibels + 60) / 60));
  }

  close(): void {
    this.measure(undefined);
    void this.#context?.close();
    this.#context = undefined;
    this.#analyser = undefined;
  }
}
