import type { GroupEvent, GroupRequest, GroupView, NodeFault, TrackSource } from "@conclave/wire";
import type { MemberSession } from "../wasm/e2ee";
import { FrameBook } from "./FrameBook";
import type { FrameCounts } from "./member";
import type { Answers, FromWorker, Question, SessionSetup, ToWorker } from "./messages";
import { SlotTable } from "./SlotTable";

/** The clocks, the key and the page of a worker. */
export interface KeeperEnv {
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** Milliseconds since 1970. */
  unixMs(): number;
  /** Calls back once, so many milliseconds on; what it returns takes that back. */
  after(ms: number, then: () => void): () => void;
  tell(message: FromWorker): void;
  newSession(atMs: number, unixMs: number, setup: string): MemberSession;
}

/** What the session wants done: the elements of the JSON list that `poll` returns. */
type Told =
  | { readonly type: "event"; readonly event: GroupEvent }
  | { readonly type: "request"; readonly request: GroupRequest }
  | { readonly type: "signHost"; readonly statement: string }
  | { readonly type: "timeout"; readonly atMs: number | null }
  | { readonly type: "view"; readonly view: GroupView };

/** A frame with the keys applied, or why not. */
export type Crypted =
  | { readonly frame: Uint8Array }
  | { readonly frame: undefined; readonly why: string };

/**
 * Keeps the session, and with it every key: drives it by what the page says and by its own clock,
 * and lends it to the transforms, frame by frame.
 */
export class KeyKeeper {
  readonly slots = new SlotTable();
  readonly frames = new FrameBook();
  readonly #env: KeeperEnv;
  #session: MemberSession | undefined;
  #hostKey: CryptoKey | undefined;
  #crashed = false;
  #cancelTimer = (): void => {};
  readonly #changed = new Set<() => void>();

  constructor(env: KeeperEnv) {
    this.#env = env;
  }

  /** Takes a message of the page's. */
  handle(message: ToWorker): void {
    switch (message.type) {
      case "begin":
        this.#begin(message.setup, message.hostKey);
        break;
      case "news":
        this.#drive((session, ...now) => session.news(...now, JSON.stringify(message.news)));
        break;
      case "reconnected":
        this.#drive((session, ...now) => session.connected(...now));
        break;
      case "command":
        this.#drive((session, ...now) => session.command(...now, JSON.stringify(message.command)));
        break;
      case "assign":
        this.slots.assign(message.generation, message.slots);
        this.#change();
        break;
      case "ask":
        this.#answer(message.id, message.question);
        break;
    }
  }

  /** Seals a frame to be sent. */
  seal(source: TrackSource, mediaType: string, frame: ArrayBuffer): Crypted {
    const [now, unixMs] = [this.#env.now(), this.#env.unixMs()];
    return this.#crypt((session) =>
      session.seal(now, unixMs, source, mediaType, new Uint8Array(frame)),
    );
  }

  /** Opens a frame that came where this leaf's source is expected. */
  open(leaf: number, source: TrackSource, mediaType: string, frame: ArrayBuffer): Crypted {
    const [now, unixMs] = [this.#env.now(), this.#env.unixMs()];
    return this.#crypt((session) =>
      session.open(now, unixMs, leaf, source, mediaType, new Uint8Array(frame)),
    );
  }

  /** Resolves when slots or group have changed, and in so many milliseconds at the latest. */
  change(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        cancel();
        this.#changed.delete(done);
        resolve();
      };
      const cancel = this.#env.after(withinMs, done);
      this.#changed.add(done);
    });
  }

  now(): number {
    return this.#env.now();
  }

  /** The module trapped, or could not be loaded: nothing is sealed or opened any more. */
  crash(): void {
    if (this.#crashed) return;
    this.#crashed = true;
    this.#session = undefined;
    this.#cancelTimer();
    this.#env.tell({ type: "crashed" });
  }

  #begin(setup: SessionSetup, hostKey: CryptoKey | undefined): void {
    this.#hostKey = hostKey;
    this.#drive((_, ...now) => {
      this.#session = this.#env.newSession(...now, JSON.stringify(setup));
    }, true);
    // A setup that cannot be read is a mistake of this program.
    if (!this.#session) this.crash();
  }

  /** Gives the session an input and does what it then wants. */
  #drive(
    input: (session: MemberSession, atMs: number, unixMs: number) => void,
    begins = false,
  ): void {
    if (this.#crashed || (!this.#session && !begins)) return;
    this.#guard(() => input(this.#session as MemberSession, this.#env.now(), this.#env.unixMs()));
    const told = this.#guard(() => this.#session?.poll());
    if (typeof told !== "string") return;
    for (const one of parse<readonly Told[]>(told)) this.#do(one);
    this.#change();
  }

  #do(told: Told): void {
    switch (told.type) {
      case "event":
      case "request":
      case "view":
        this.#env.tell(told);
        break;
      case "signHost":
        void this.#signHost(told.statement);
        break;
      case "timeout":
        this.#wake(told.atMs);
        break;
    }
  }

  #wake(atMs: number | null): void {
    this.#cancelTimer();
    if (atMs === null) return;
    const ms = Math.max(0, atMs - this.#env.now());
    this.#cancelTimer = this.#env.after(ms, () =>
      this.#drive((session, ...now) => session.timeout(...now)),
    );
  }

  async #signHost(statement: string): Promise<void> {
    const signature = await sign(this.#hostKey, bytes(statement));
    this.#drive((session, ...now) => session.hostSignature(...now, signature));
  }

  #answer(id: number, question: Question): void {
    const session = this.#session;
    const answer = (answer: Answers[keyof Answers]): void =>
      this.#env.tell({ type: "answer", id, answer });
    switch (question.type) {
      case "frameCounts":
        answer(this.frames.counts() satisfies FrameCounts);
        break;
      case "signResume":
        answer(this.#guard(() => session?.signResume(question.challenge)));
        break;
      case "verifyAnswer": {
        const { sdp, relay, statement } = question;
        const { text, signature } = statement;
        const fault = this.#guard(() =>
          session?.verifyAnswer(this.#env.unixMs(), sdp, [...relay], text, signature),
        );
        // Without a word from the session, nothing is verified.
        answer(fault === undefined ? "signature" : (parse<NodeFault | null>(fault) ?? undefined));
        break;
      }
    }
  }

  #crypt(crypt: (session: MemberSession) => Uint8Array): Crypted {
    const session = this.#session;
    if (!session) return { frame: undefined, why: this.#crashed ? "crashed" : "notInGroup" };
    try {
      return { frame: crypt(session) };
    } catch (thrown) {
      if (typeof thrown === "string") return { frame: undefined, why: thrown };
      this.crash();
      return { frame: undefined, why: "crashed" };
    }
  }

  /** The module refuses an input by a string; whatever else it throws is a panic. */
  #guard<Result>(call: () => Result): Result | undefined {
    try {
      return call();
    } catch (thrown) {
      if (typeof thrown !== "string") this.crash();
      return undefined;
    }
  }

  #change(): void {
    for (const done of [...this.#changed]) done();
  }
}

/** A signature that nobody could make, if the key is none: the session says what is wrong then. */
async function sign(
  key: CryptoKey | undefined,
  statement: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array> {
  const none = new Uint8Array(64);
  if (!key) return none;
  try {
    return new Uint8Array(await crypto.subtle.sign("Ed25519", key, statement));
  } catch {
    return none;
  }
}

/** What the module says is of the type that it is asked for. */
function parse<Type>(json: string): Type {
  return JSON.parse(json) as Type;
}

function bytes(base64url: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
