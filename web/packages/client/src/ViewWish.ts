import { MAX_WANTS, type PublicationId, type Want } from "@conclave/wire";

/** The smallest pool of video slots, and what it grows by. */
const POOL_STEP = 4;
const MAX_POOL = 32;

/** A view that changes with each frame of a resize is told once it rests. */
const REST_MS = 100;

/** A tile of a small call. */
const GUESSED_TILE = { width: 640, height: 360, priority: "tile" } as const;

/** What a {@link ViewWish} asks of the call. */
export interface ViewHooks {
  /** Those of the wants that there is something to see of. */
  living(wants: readonly Want[]): readonly Want[];
  /** Tells the server; `false` if it could not. */
  send(wants: readonly Want[]): boolean;
}

/** What the view shows, told to the server when it changes: at once, then when it rests. */
export class ViewWish {
  #wants: readonly Want[] = [];
  #hasSpoken = false;
  #told: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly hooks: ViewHooks) {}

  /** How many video slots the view needs. */
  get slotsWanted(): number {
    const steps = Math.max(1, Math.ceil(this.hooks.living(this.#wants).length / POOL_STEP));
    return Math.min(MAX_POOL, steps * POOL_STEP);
  }

  /** Stands in for the view until it speaks: pictures are then on their way while it is drawn. */
  guess(publications: readonly PublicationId[]): void {
    if (this.#hasSpoken) return;
    this.#wants = publications
      .slice(0, POOL_STEP)
      .map((publication) => ({ publication, ...GUESSED_TILE }));
  }

  set(wants: readonly Want[]): void {
    this.#hasSpoken = true;
    this.#wants = wants.slice(0, MAX_WANTS);
    if (this.#timer !== undefined) return;
    this.flush();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.flush();
    }, REST_MS);
  }

  /** Tells it, unless the server knows it. */
  flush(): void {
    const living = this.hooks.living(this.#wants);
    const text = JSON.stringify(living);
    if (text !== this.#told && this.hooks.send(living)) this.#told = text;
  }

  /** The server knows nothing of it any more. */
  forget(): void {
    this.#told = undefined;
  }

  clear(): void {
    this.#wants = [];
    this.#hasSpoken = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#told = undefined;
  }
}
