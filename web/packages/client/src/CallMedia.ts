import type { Member, SlotAssignment } from "@conclave/e2ee";
import type {
  AudioSlot,
  CameraCodec,
  Mid,
  PictureDemand,
  PublicationId,
  PublishedTrack,
  Relay,
  TrackSource,
  VideoSlot,
} from "@conclave/wire";

import type { AudioOutput } from "./audioOutput";
import type { CallEnv } from "./callEnv";
import type { Peer } from "./PeerLink";
import type { Owner } from "./People";
import { statedWays } from "./relay";
import { SlotBook } from "./SlotBook";
import type { VideoSnapshot } from "./snapshot";

/** What {@link CallMedia} reports. */
export interface CallMediaEvents {
  onConnected(): void;
  onLost(): void;
  /** The first picture of a publication came. */
  onPicture(): void;
}

/** What {@link CallMedia} is made of. */
export interface CallMediaOptions {
  readonly env: Pick<CallEnv, "createPeer" | "cameraCodec" | "mark">;
  readonly output: AudioOutput;
  /** Whose a publication is: nobody else's frames are shown for it. */
  readonly ownerOf: (publication: PublicationId) => Owner | undefined;
  readonly events: CallMediaEvents;
}

/** What a media session's slots carry, as the server told it last. */
interface Carried {
  readonly generation: number;
  readonly audio: readonly AudioSlot[];
  readonly video: readonly VideoSlot[];
}

const KINDS: Readonly<Record<TrackSource, "audio" | "video">> = {
  microphone: "audio",
  camera: "video",
  screen: "video",
  screenAudio: "audio",
};

/** The pool of video slots that is offered before anybody is seen. */
const FIRST_VIDEO_SLOTS = 4;

/** How often a first picture is looked for. The very first is timed, so it is looked for closely. */
const FIRST_LOOK_MS = 20;
const LOOK_MS = 100;
/** A publication that sends nothing is looked at ever less often. */
const MAX_LOOK_MS = 1_000;

/**
 * The media of a call across generations of its peer connection: what is published, what the
 * slots carry, what is heard. There is a peer connection only while there is a member to seal and
 * open for it.
 */
export class CallMedia {
  readonly #options: CallMediaOptions;
  readonly #book = new SlotBook();
  /** What is published, and what it carries now: `undefined` for a muted microphone. */
  readonly #outgoing = new Map<TrackSource, MediaStreamTrack | undefined>();
  #cameraWish: CameraCodec = "vp8";
  #relay: Relay | undefined;
  #member: Member | undefined;
  #peer: Peer | undefined;
  #nextGeneration = 1;
  #carried: Carried | undefined;
  #assigned = "";
  /** The present peer's offer has been sent: it belongs to one entry and cannot serve another. */
  #isSpent = false;
  #offeredSlots = 0;
  #preview: { readonly track: MediaStreamTrack; readonly stream: MediaStream } | undefined;
  #looks = 0;
  #lookTimer: ReturnType<typeof setTimeout> | undefined;
  #sawFirst = false;

  constructor(options: CallMediaOptions) {
    this.#options = options;
  }

  /** Which peer connection this is; 0 if there is none. */
  get generation(): number {
    return this.#peer?.generation ?? 0;
  }

  get isNegotiating(): boolean {
    return this.#isSpent && this.#peer?.isNegotiating === true;
  }

  /**
   * Ends what ran, and makes a peer connection and its offer ready for this member, so that being
   * let in needs only to look for paths and to send it. `cameraWish` is what the server wants the camera to be sent in.
   */
  begin(member: Member, cameraWish: CameraCodec): void {
    if (this.#member === member && this.#peer !== undefined && !this.#isSpent) return;
    this.close();
    this.#member = member;
    this.#cameraWish = cameraWish;
    this.renew(FIRST_VIDEO_SLOTS);
    this.#peer?.prepare();
  }

  /** What the server relays media by, if it does: said whenever this device is let in. */
  relayBy(relay: Relay | null): void {
    this.#relay = relay ?? undefined;
    this.#peer?.relayBy(this.#relay);
  }

  /** The ways by which media may be relayed: the media node must have stated them. */
  get relayWays(): readonly string[] {
    return statedWays(this.#relay);
  }

  /** Begins a new generation, unless the present one is fresh. */
  renew(videoSlots: number): void {
    if (this.#member === undefined || (this.#peer !== undefined && !this.#isSpent)) return;
    this.#peer?.close();
    this.#forgetSlots();
    const { env, events } = this.#options;
    const generation = this.#nextGeneration;
    this.#nextGeneration += 1;
    const peer = env.createPeer({
      generation,
      videoSlots: Math.max(videoSlots, this.#peer?.videoSlots ?? 0),
      cameraCodec: env.cameraCodec(this.#cameraWish),
      relay: this.#relay,
      member: this.#member,
      events: {
        onConnected: () => this.#peer === peer && events.onConnected(),
        onLost: () => {
          if (this.#peer !== peer) return;
          // Its tracks have ended: a picture of them would be black.
          this.#forgetSlots();
          this.#isSpent = true;
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

  /** The offer was sent: a media session that is not answered is given up for another. */
  awaitAnswer(): void {
    this.#peer?.awaitAnswer();
  }

  /** Takes an answer; late ones, of an earlier generation, are dropped. */
  async answer(generation: number, sdp: string): Promise<void> {
    const peer = this.#peer;
    if (peer === undefined || peer.generation !== generation) return;
    await peer.answer(sdp);
    this.#options.output.play(peer.audioTracks());
  }

  /** What of its own pictures the server says need not be encoded in full. */
  demand(generation: number, pictures: readonly PictureDemand[]): void {
    if (this.#peer?.generation === generation) this.#peer.demand(pictures);
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

  /** Takes in what the slots carry; of another generation it is late or early, and dropped. */
  slots(carried: Carried): void {
    if (this.#peer?.generation !== carried.generation) return;
    this.#carried = carried;
    this.#looks = 0;
    this.reassign();
  }

  /** The slots' publications, or whose they are, changed: each slot opens its owner's frames alone. */
  reassign(): void {
    const peer = this.#peer;
    if (peer === undefined || this.#carried === undefined) return;
    const { generation, audio, video } = this.#carried;
    const heard = audio.flatMap((slot) => this.#owned("audio", slot));
    const seen = video.flatMap((slot) => this.#owned("video", slot));
    const assignments = [...heard, ...seen].flatMap(({ mid, owner }): SlotAssignment[] => {
      const place = peer.slotOf(mid);
      return place === undefined ? [] : [{ ...place, leaf: owner.leaf, source: owner.source }];
    });
    const assigned = JSON.stringify(assignments);
    if (assigned !== this.#assigned) this.#member?.assign(generation, assignments);
    this.#assigned = assigned;
    const shown = seen.map(({ owner, ...slot }) => ({
      ...slot,
      owner: `${owner.source} of ${owner.person}`,
    }));
    this.#book.update(shown, (mid: Mid) => peer.receivingTrack(mid));
    this.#lookSoon();
  }

  look(publication: PublicationId): Pick<VideoSnapshot, "stream" | "state"> {
    return this.#book.look(publication);
  }

  /** Ends it; {@link begin} begins anew. */
  close(): void {
    clearTimeout(this.#lookTimer);
    this.#lookTimer = undefined;
    this.#peer?.close();
    this.#peer = undefined;
    this.#member = undefined;
    this.#isSpent = false;
    this.#forgetSlots();
  }

  #forgetSlots(): void {
    this.#book.clear();
    this.#carried = undefined;
    this.#assigned = "";
  }

  /** The slot with its owner; nothing if it is nobody's, or cannot be what such a slot carries. */
  #owned<Slot extends AudioSlot | VideoSlot>(
    kind: "audio" | "video",
    slot: Slot,
  ): (Slot & { readonly owner: Owner })[] {
    const owner = this.#options.ownerOf(slot.publication);
    return owner !== undefined && KINDS[owner.source] === kind ? [{ ...slot, owner }] : [];
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
