import type { FrameCounts } from "./member";

/** Counts how frames fare. */
export class FrameBook {
  #sealed = 0;
  #opened = 0;
  readonly #notSealed = new Map<string, number>();
  readonly #dropped = new Map<string, number>();
  #sealMs = 0;
  #openMs = 0;
  #addedBytes = 0;

  sealed(ms: number, addedBytes: number): void {
    this.#sealed += 1;
    this.#sealMs += ms;
    this.#addedBytes += addedBytes;
  }

  notSealed(ms: number, why: string): void {
    this.#sealMs += ms;
    count(this.#notSealed, why);
  }

  opened(): void {
    this.#opened += 1;
  }

  dropped(why: string): void {
    count(this.#dropped, why);
  }

  spentOpening(ms: number): void {
    this.#openMs += ms;
  }

  counts(): FrameCounts {
    return {
      sealed: this.#sealed,
      opened: this.#opened,
      notSealed: Object.fromEntries(this.#notSealed),
      dropped: Object.fromEntries(this.#dropped),
      sealMs: this.#sealMs,
      openMs: this.#openMs,
      addedBytes: this.#addedBytes,
    };
  }
}

function count(counts: Map<string, number>, why: string): void {
  counts.set(why, (counts.get(why) ?? 0) + 1);
}
