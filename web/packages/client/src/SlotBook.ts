import type { Mid, PublicationId, VideoSlot } from "@conclave/wire";

import type { VideoSnapshot } from "./snapshot";

/** A video slot whose publication is somebody's. */
export interface OwnedSlot extends VideoSlot {
  /** Whose: one text for each person and source. */
  readonly owner: string;
}

interface Entry {
  readonly mid: Mid;
  readonly owner: string;
  readonly stream: MediaStream;
  readonly paused: boolean;
  /** Frames that the slot had decoded when it was given to the publication. */
  readonly before: number | undefined;
  readonly seen: boolean;
}

/** Which slot carries which video publication, and whether its picture has come. */
export class SlotBook {
  #entries: ReadonlyMap<PublicationId, Entry> = new Map();
  readonly #used = new Set<Mid>();

  /** Forgets all: another peer connection begins. */
  clear(): void {
    this.#entries = new Map();
    this.#used.clear();
  }

  /**
   * Takes in the complete list. A publication keeps its stream while it keeps its slot and its
   * owner: nobody's last picture is shown as another's.
   */
  update(slots: readonly OwnedSlot[], trackOf: (mid: Mid) => MediaStreamTrack | undefined): void {
    const entries = new Map<PublicationId, Entry>();
    for (const slot of slots) {
      const kept = this.#entries.get(slot.publication);
      const isSame = kept?.mid === slot.mid && kept.owner === slot.owner;
      const entry = isSame ? { ...kept, paused: slot.paused } : this.#open(slot, trackOf(slot.mid));
      if (entry !== undefined) entries.set(slot.publication, entry);
    }
    this.#entries = entries;
    for (const { mid } of entries.values()) this.#used.add(mid);
  }

  /** Whether a picture is due that has not come. */
  get isWaiting(): boolean {
    return [...this.#entries.values()].some(({ seen, paused }) => !seen && !paused);
  }

  /** Takes in how many frames each slot has decoded; `true` if a first picture came. */
  frames(decoded: ReadonlyMap<Mid, number>): boolean {
    let came = false;
    const entries = new Map<PublicationId, Entry>();
    for (const [publication, entry] of this.#entries) {
      const count = decoded.get(entry.mid);
      if (entry.seen || count === undefined) {
        entries.set(publication, entry);
        continue;
      }
      // A slot that carried somebody else counts from what it has now.
      const before = entry.before ?? count;
      const seen = count > before;
      came ||= seen;
      entries.set(publication, { ...entry, before, seen });
    }
    this.#entries = entries;
    return came;
  }

  look(publication: PublicationId): Pick<VideoSnapshot, "stream" | "state"> {
    const entry = this.#entries.get(publication);
    if (entry === undefined) return { stream: undefined, state: "waiting" };
    const state = entry.paused ? "paused" : entry.seen ? "live" : "waiting";
    return { stream: entry.stream, state };
  }

  #open({ mid, owner, paused }: OwnedSlot, track: MediaStreamTrack | undefined): Entry | undefined {
    if (track === undefined) return undefined;
    const before = this.#used.has(mid) ? undefined : 0;
    return { mid, owner, paused, before, seen: false, stream: new MediaStream([track]) };
  }
}
