import type {
  ConnectionQuality,
  LeaveReason,
  ParticipantId,
  ParticipantInfo,
  ParticipantQuality,
} from "@conclave/wire";

/** Who the server says is connected, on which leaf, and how well. Its word, and no names. */
export class ServerRoster {
  readonly #others = new Map<ParticipantId, ParticipantInfo>();
  readonly #quality = new Map<ParticipantId, ConnectionQuality>();
  #speaking: ReadonlySet<ParticipantId> = new Set();
  #activeSpeaker: ParticipantId | undefined;

  /** The last other participant who spoke, while it is there. */
  get activeSpeaker(): ParticipantId | undefined {
    return this.#activeSpeaker;
  }

  /** States everybody anew. */
  replace(others: readonly ParticipantInfo[]): void {
    this.#others.clear();
    this.apply(others, []);
    this.#speaking = new Set();
    if (!this.#isHere(this.#activeSpeaker)) this.#activeSpeaker = undefined;
  }

  /** Takes a change in. */
  apply(
    present: readonly ParticipantInfo[],
    left: readonly (readonly [ParticipantId, LeaveReason])[],
  ): void {
    for (const [id] of left) {
      this.#others.delete(id);
      this.#quality.delete(id);
      if (this.#activeSpeaker === id) this.#activeSpeaker = undefined;
    }
    for (const info of present) this.#others.set(info.id, info);
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

  isSpeaking(id: ParticipantId): boolean {
    return this.#speaking.has(id);
  }

  /** Who is on which leaf. Of several on one, the newest: the others are on their way out. */
  byLeaf(): ReadonlyMap<number, ParticipantInfo> {
    const newestLast = [...this.#others.values()].sort((a, b) => a.id - b.id);
    return new Map(newestLast.map((info) => [info.leaf, info]));
  }

  #isHere(id: ParticipantId | undefined): boolean {
    return id !== undefined && this.#others.has(id);
  }
}
