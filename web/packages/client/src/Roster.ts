import type {
  ConnectionQuality,
  LeaveReason,
  ParticipantId,
  ParticipantInfo,
  ParticipantQuality,
  PublicationId,
  SealedBlob,
  TrackSource,
} from "@conclave/wire";

import type { ParticipantSnapshot, VideoSnapshot } from "./snapshot";

/** Who came and who went, for notices. */
export interface Comings {
  readonly joined: readonly ParticipantId[];
  readonly left: readonly { readonly name: string }[];
}

/** What a slot shows of a publication. */
export type VideoLookup = (publication: PublicationId) => Pick<VideoSnapshot, "stream" | "state">;

/** Everybody else in the call, as the server tells it. */
export class Roster {
  readonly #others = new Map<ParticipantId, ParticipantInfo>();
  readonly #quality = new Map<ParticipantId, ConnectionQuality>();
  /** Names by the blob they were sealed in: a person who comes back needs no second opening. */
  readonly #names = new Map<SealedBlob, string>();
  #speaking: ReadonlySet<ParticipantId> = new Set();
  #activeSpeaker: ParticipantId | undefined;

  /** The last other person who spoke, while it is in the call. */
  get activeSpeaker(): ParticipantId | undefined {
    return this.#activeSpeaker;
  }

  get size(): number {
    return this.#others.size;
  }

  /** States everybody anew: after `joined`. */
  replace(others: readonly ParticipantInfo[]): void {
    this.#others.clear();
    this.apply(others, []);
    this.#speaking = new Set();
    if (!this.#others.has(this.#activeSpeaker ?? -1)) this.#activeSpeaker = undefined;
  }

  /** Takes a change in. */
  apply(
    present: readonly ParticipantInfo[],
    left: readonly (readonly [ParticipantId, LeaveReason])[],
  ): Comings {
    const gone = left.flatMap(([id]) => {
      const info = this.#others.get(id);
      this.#forget(id);
      return info === undefined ? [] : [{ name: this.#nameOf(info) }];
    });
    const joined = present.map(({ id }) => id).filter((id) => !this.#others.has(id));
    for (const info of present) this.#others.set(info.id, info);
    return { joined, left: gone };
  }

  /** Takes in who speaks; `self` does not count as one to feature. */
  speakers(
    active: ParticipantId | null,
    speaking: readonly ParticipantId[],
    self: ParticipantId | undefined,
  ): void {
    this.#speaking = new Set(speaking);
    // While one speaks oneself, the server features oneself: then it is the loudest other.
    const others = [active ?? self, ...speaking].filter((id) => id !== self && this.#isHere(id));
    const keeps = active === self && speaking.includes(this.#activeSpeaker ?? -1);
    if (!keeps) this.#activeSpeaker = others[0] ?? this.#activeSpeaker;
  }

  quality(changes: readonly ParticipantQuality[]): void {
    for (const { id, quality } of changes) this.#quality.set(id, quality);
  }

  qualityOf(id: ParticipantId | undefined): ConnectionQuality {
    return (id === undefined ? undefined : this.#quality.get(id)) ?? "good";
  }

  /** Blobs whose names are not known yet. */
  unopened(): readonly SealedBlob[] {
    const blobs = [...this.#others.values()].map(({ profile }) => profile);
    return [...new Set(blobs)].filter((blob) => !this.#names.has(blob));
  }

  /** What a blob turned out to hold; empty if it does not open. */
  setName(profile: SealedBlob, name: string): void {
    this.#names.set(profile, name);
  }

  name(id: ParticipantId): string | undefined {
    const info = this.#others.get(id);
    return info === undefined ? undefined : this.#nameOf(info);
  }

  /** Every video publication that is there to be seen. */
  videos(): ReadonlySet<PublicationId> {
    const publications = [...this.#others.values()].flatMap((info) => info.publications);
    const videos = publications.filter(({ source }) => source === "camera" || source === "screen");
    return new Set(videos.map(({ id }) => id));
  }

  /** The others in the order in which they joined. */
  snapshot(video: VideoLookup): readonly ParticipantSnapshot[] {
    const infos = [...this.#others.values()].sort((a, b) => a.id - b.id);
    return infos.map((info) => this.#snapshotOf(info, video));
  }

  #snapshotOf(info: ParticipantInfo, lookUp: VideoLookup): ParticipantSnapshot {
    const publication = (wanted: TrackSource): PublicationId | undefined =>
      info.publications.find(({ source }) => source === wanted)?.id;
    const video = (source: "camera" | "screen"): VideoSnapshot | undefined => {
      const id = publication(source);
      return id === undefined ? undefined : { publication: id, source, ...lookUp(id) };
    };
    const muted = info.presence.muted || publication("microphone") === undefined;
    return {
      id: info.id,
      name: this.#nameOf(info),
      muted,
      speaking: !muted && this.#speaking.has(info.id),
      connected: info.connected,
      quality: info.connected ? this.qualityOf(info.id) : "lost",
      camera: video("camera"),
      screen: video("screen"),
      screenAudio: publication("screenAudio") !== undefined,
    };
  }

  #isHere(id: ParticipantId | undefined): boolean {
    return id !== undefined && this.#others.has(id);
  }

  #nameOf(info: ParticipantInfo): string {
    return this.#names.get(info.profile) ?? "";
  }

  #forget(id: ParticipantId): void {
    this.#others.delete(id);
    this.#quality.delete(id);
    if (this.#activeSpeaker === id) this.#activeSpeaker = undefined;
  }
}
