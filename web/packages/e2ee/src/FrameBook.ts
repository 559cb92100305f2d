import type { FrameCost, FrameCosts, FrameCounts } from "./member";

/** The kinds of frames whose cost is counted apart: they differ in size by two orders. */
export type FrameKind = "audio" | "video";

/** Counts how frames fare, and what they cost. */
export class FrameBook {
  readonly #notSealed = new Map<string, number>();
  readonly #dropped = new Map<string, number>();
  readonly #sealing = { audio: new CostBook(), video: new CostBook() };
  readonly #opening = { audio: new CostBook(), video: new CostBook() };
  readonly #droppedOf = new Map<number, Map<string, number>>();

  /** A frame was sealed and handed on in so many milliseconds. */
  sealed(kind: FrameKind, ms: number, clearBytes: number, sealedBytes: number): void {
    this.#sealing[kind].add(ms, clearBytes, sealedBytes);
  }

  notSealed(why: string): void {
    count(this.#notSealed, why);
  }

  /** A frame was opened and handed on in so many milliseconds. */
  opened(kind: FrameKind, ms: number, clearBytes: number, sealedBytes: number): void {
    this.#opening[kind].add(ms, clearBytes, sealedBytes);
  }

  /** `leaf` is whose frames the slot carries, if it carries anybody's. */
  dropped(why: string, leaf: number | undefined): void {
    count(this.#dropped, why);
    if (leaf === undefined) return;
    const ofLeaf = this.#droppedOf.get(leaf) ?? new Map<string, number>();
    this.#droppedOf.set(leaf, ofLeaf);
    count(ofLeaf, why);
  }

  counts(): FrameCounts {
    const sealing = costs(this.#sealing);
    const opening = costs(this.#opening);
    return {
      sealed: sealing.audio.frames + sealing.video.frames,
      opened: opening.audio.frames + opening.video.frames,
      notSealed: Object.fromEntries(this.#notSealed),
      dropped: Object.fromEntries(this.#dropped),
      droppedOf: Object.fromEntries(
        [...this.#droppedOf].map(([leaf, dropped]) => [leaf, Object.fromEntries(dropped)]),
      ),
      sealing,
      opening,
    };
  }
}

/** Times are told apart in steps of so many milliseconds. */
const STEP_MS = 0.02;

/** How many steps there are: 10 ms in all. */
const STEPS = 500;

/** What frames of one kind cost in one direction. */
class CostBook {
  #frames = 0;
  #ms = 0;
  #clearBytes = 0;
  #addedBytes = 0;
  readonly #steps = new Uint32Array(STEPS);

  add(ms: number, clearBytes: number, sealedBytes: number): void {
    this.#frames += 1;
    this.#ms += ms;
    this.#clearBytes += clearBytes;
    this.#addedBytes += sealedBytes - clearBytes;
    const step = Math.min(STEPS - 1, Math.max(0, Math.floor(ms / STEP_MS)));
    this.#steps[step] = (this.#steps[step] ?? 0) + 1;
  }

  cost(): FrameCost {
    return {
      frames: this.#frames,
      ms: this.#ms,
      clearBytes: this.#clearBytes,
      addedBytes: this.#addedBytes,
      stepMs: STEP_MS,
      steps: [...this.#steps],
    };
  }
}

function costs({ audio, video }: Readonly<Record<FrameKind, CostBook>>): FrameCosts {
  return { audio: audio.cost(), video: video.cost() };
}

function count(counts: Map<string, number>, why: string): void {
  counts.set(why, (counts.get(why) ?? 0) + 1);
}
