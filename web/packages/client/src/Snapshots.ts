import { share } from "./share";

/**
 * The latest of a series of snapshots, for those who watch.
 *
 * It is built only when it is asked for, and what did not change in it keeps its identity.
 */
export class Snapshots<T> {
  #latest: T | undefined;
  #isStale = true;
  /** Listeners are told once for all changes of a turn. */
  #isTelling = false;
  readonly #listeners = new Set<() => void>();

  constructor(private readonly build: () => T) {}

  get latest(): T {
    if (this.#latest === undefined || this.#isStale) {
      this.#isStale = false;
      const next = this.build();
      this.#latest = this.#latest === undefined ? next : share(this.#latest, next);
    }
    return this.#latest;
  }

  /** Called on every change; returns how to stop. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Something of it is another. */
  changed(): void {
    this.#isStale = true;
    if (this.#isTelling || this.#listeners.size === 0) return;
    this.#isTelling = true;
    queueMicrotask(() => {
      this.#isTelling = false;
      for (const listener of this.#listeners) listener();
    });
  }

  /** Nobody is told any more. */
  close(): void {
    this.#listeners.clear();
  }
}
