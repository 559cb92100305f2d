import type { Mid, PublicationId, PublishedTrack, TrackSource, VideoSlot } from "@conclave/wire";

import type { AudioOutput } from "./audioOutput";
import type { CallEnv } from "./callEnv";
import type { Peer } from "./PeerLink";
import { SlotBook } from "./SlotBook";
import type { VideoSnapshot } from "./snapshot";
import type { StreamTransform } from "./streamTransform";

/** What {@link CallMedia} reports. */
export interface CallMediaEvents {
  onConnected(): void;
  onLost(): void;
  /** The first picture of a publication came. */
  onPicture(): void;
}

/** What {@link CallMedia} is made of. */
export interface CallMediaOptions {
  readonly env: Pick<CallEnv, "createPeer" | "mark">;
  readonly transform: StreamTransform;
  readonly output: AudioOutput;
  readonly firstGeneration: number;
  readonly events: CallMediaEvents;
}

/** The pool of video slots that is offered before anybody is seen. */
const FIRST_VIDEO_SLOTS = 4;

/** How often a first picture is looked for. The very first is timed, so it is looked for closely. */
const FIRST_LOOK_MS = 20;
const LOOK_MS = 100;
/** A publication that sends nothing is looked at ever less often. */
const MAX_LOOK_MS = 1_000;

/**
 * The media of a call across generations of its peer connection: what is published, what the
 * slots carry, what is heard.
 */
export class CallMedia {
  readonly #options: CallMediaOptions;
  readonly #book = new SlotBook();
  /** What is published, and what it carries now: `undefined` for a muted microphone. */
  readonly #outgoing = new Map<TrackSource, MediaStreamTrack | undefined>();
  #peer: Peer | undefined;
  #nextGeneration: number;
  /** The present peer's offer has been sent: it belongs to one entry and cannot serve another. */
  #isSpent = false;
  #offeredSlots = 0;
  #preview: { readonly track: MediaStreamTrack; readonly stream: MediaStream } | undefined;
  #looks = 0;
  #lookTimer: ReturnType<typeof setTimeout> | undefined;
  #sawFirst = false;

  constructor(options: CallMediaOptions) {
    this.#options = options;
    this.#nextGeneration = options.firstGeneration;
  }

  /** Which peer connection this is; 0 if there is none. */
  get generation(): number {
    return this.#peer?.generation ?? 0;
  }

  get isNegotiating(): boolean {
    return this.#isSpent && this.#peer?.isNegotiating === true;
  }

  /** Makes a peer connection and its offer ready, so that joining needs only to send it. */
  prepare(): void {
    this.renew(FIRST_VIDEO_SLOTS);
    // A failure shows when the offer is needed.
    this.#peer?.offer().catch(() => {});
  }

  /** Begins a new generation, unless the present one is fresh. */
  renew(videoSlots: number): void {
    if (this.#peer !== undefined && !this.#isSpent) return;
    this.#peer?.close();
    this.#book.clear();
    const { env, transform, events } = this.#options;
    const generation = this.#nextGeneration;
    this.#nextGeneration += 1;
    const peer = env.createPeer({
      generation,
      videoSlots: Math.max(videoSlots, this.#peer?.videoSlots ?? 0),
      transform,
      events: {
        onConnected: () => this.#peer === peer && events.onConnected(),
        onLost: () => {
          if (this.#peer !== peer) return;
          // Its tracks have ended: a picture of them would be black.
          this.#book.clear();
          events.onLost();
        },
      },
    });
    this.#peer = peer;
    this.#isSpent = false;
    for (const [source, track] of this.#outgoing) peer.send(source, track);
  }

  /** The description to send. */
  async offer(): Promise<string> {
    const peer = this.#peer;
    if (peer === undefined) throw new Error("no peer connection to offer");
    this.#isSpent = true;
    this.#offeredSlots = peer.videoSlots;
    return peer.offer();
  }

  /** Takes an answer; late ones, of an earlier generation, are dropped. */
  async answer(generation: number, sdp: string): Promise<void> {
    const peer = this.#peer;
    if (peer === undefined || peer.generation !== generation) return;
    await peer.answer(sdp);
    this.#options.output.play(peer.audioTracks());
  }

  async rollBack(): Promise<void> {
    await this.#peer?.rollBack();
  }

  /** Makes the pool larger; `true` if that must be offered now. */
  grow(videoSlots: number): boolean {
    const peer = this.#peer;
    if (peer === undefined || peer.isNegotiating) return false;
    peer.growVideo(videoSlots);
    return peer.videoSlots > this.#offeredSlots;
  }

  publish(source: TrackSource, track: MediaStreamTrack | undefined): void {
    if (this.#outgoing.has(source) && this.#outgoing.get(source) === track) return;
    this.#outgoing.set(source, track);
    this.#peer?.send(source, track);
  }

  withdraw(source: TrackSource): void {
    if (this.#outgoing.delete(source)) this.#peer?.send(source, undefined);
  }

  /** What is published, with the sections that carry it. */
  tracks(): PublishedTrack[] {
    return [...this.#outgoing.keys()].flatMap((source) => {
      const mid = this.#peer?.mid(source);
      return mid === undefined ? [] : [{ mid, source }];
    });
  }

  /** The own camera to look at: one stream for as long as the track is the same. */
  preview(track: MediaStreamTrack | undefined): MediaStream | undefined {
    if (track === undefined) this.#preview = undefined;
    else if (this.#preview?.track !== track) {
      this.#preview = { track, stream: new MediaStream([track]) };
    }
    return this.#preview?.stream;
  }

  /** Takes in what the video slots carry; of another generation it is late or early, and dropped. */
  slots(generation: number, video: readonly VideoSlot[]): void {
    const peer = this.#peer;
    if (peer === undefined || peer.generation !== generation) return;
    this.#book.update(video, (mid: Mid) => peer.receivingTrack(mid));
    this.#looks = 0;
    this.#lookSoon();
  }

  look(publication: PublicationId): Pick<VideoSnapshot, "stream" | "state"> {
    return this.#book.look(publication);
  }

  /** Ends it; `prepare` begins anew. */
  close(): void {
    clearTimeout(this.#lookTimer);
    this.#lookTimer = undefined;
    this.#peer?.close();
    this.#peer = undefined;
    this.#book.clear();
  }

  #lookSoon(): void {
    if (this.#lookTimer !== undefined || !this.#book.isWaiting) return;
    this.#looks += 1;
    const delayMs = this.#sawFirst
      ? Math.min(MAX_LOOK_MS, LOOK_MS + this.#looks * 5)
      : FIRST_LOOK_MS;
    this.#lookTimer = setTimeout(() => void this.#lookNow(), delayMs);
  }

  async #lookNow(): Promise<void> {
    const peer = this.#peer;
    const frames = await peer?.framesDecoded().catch(() => undefined);
    this.#lookTimer = undefined;
    if (frames !== undefined && peer === this.#peer && this.#book.frames(frames)) {
      if (!this.#sawFirst) this.#options.env.mark("conclave:first-frame");
      this.#sawFirst = true;
      this.#options.events.onPicture();
    }
    this.#lookSoon();
  }
}
