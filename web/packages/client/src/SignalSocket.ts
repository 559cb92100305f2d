import {
  type ClientMessage,
  MAX_FRAME_BYTES,
  PROTOCOL_VERSION,
  type ServerMessage,
} from "@conclave/wire";

/** What a {@link SignalSocket} reports. */
export interface SignalEvents {
  /** Open and greeted: messages can be sent. `challenge` is what a resuming leaf signs. */
  onUp(challenge: string): void;
  /** Lost, or could not be opened. It tries again by itself. */
  onDown(): void;
  onMessage(message: ServerMessage): void;
}

/** The part of `WebSocket` that is used; a test passes its own. */
export type SocketLike = Pick<
  WebSocket,
  "send" | "close" | "readyState" | "onopen" | "onmessage" | "onclose" | "onerror"
>;

/** What a {@link SignalSocket} stands on. */
export interface SignalSocketEnv {
  readonly connect: (url: string) => SocketLike;
  /** 0 to 1. */
  readonly random: () => number;
  readonly nowMs: () => number;
  /** Calls back when the network or the page comes or goes; returns how to stop. */
  readonly watchPage: (onChange: (change: PageChange) => void) => () => void;
}

/** The network came back, or something happened after which the socket may be dead unnoticed. */
export type PageChange = "online" | "doubt";

/** A ping goes out this often; the socket is dead if nothing at all came in until the next. */
const PING_EVERY_MS = 3_000;

/** After a sign that the network changed, a dead socket is found faster. */
const PROBE_MS = 1_500;

/** A timer this late means that the page was asleep: what came in meanwhile is read first. */
const LATE_MS = 1_000;

/** From opening to `welcome`. */
const CONNECT_TIMEOUT_MS = 5_000;

const FIRST_DELAY_MS = 200;
const MAX_DELAY_MS = 2_000;

type State =
  | { readonly kind: "closed" }
  | { readonly kind: "connecting"; readonly socket: SocketLike }
  | { readonly kind: "up"; readonly socket: SocketLike }
  | { readonly kind: "waiting" };

/**
 * One signalling connection that comes back by itself.
 *
 * It greets, tells a living socket from a dead one, and reconnects with growing pauses until it
 * is closed. It keeps no messages: what was not sent is stated anew by whoever hears `onUp`.
 */
export class SignalSocket {
  #state: State = { kind: "closed" };
  /** The one timer of the present state: connect timeout, ping, or the pause before a try. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #awaitsPong = false;
  #stopWatching: (() => void) | undefined;

  constructor(
    private readonly url: string,
    private readonly events: SignalEvents,
    private readonly env: SignalSocketEnv = browserEnv,
  ) {}

  /** Opens it, if it is not open; may be called early, before it is needed. */
  open(): void {
    if (this.#state.kind !== "closed") return;
    this.#stopWatching = this.env.watchPage((change) => this.#onPage(change));
    this.#connect();
  }

  get isUp(): boolean {
    return this.#state.kind === "up";
  }

  /** Sends it if the socket is up; `false` if not, or if it is larger than the server takes. */
  send(message: ClientMessage): boolean {
    if (this.#state.kind !== "up") return false;
    const text = JSON.stringify(message);
    // Session descriptions are ASCII; names are sealed. So characters are bytes.
    if (text.length > MAX_FRAME_BYTES) return false;
    this.#state.socket.send(text);
    return true;
  }

  /** Closes it for good; `open` may open it again. */
  close(): void {
    this.#stopWatching?.();
    this.#stopWatching = undefined;
    this.#abandon();
    this.#state = { kind: "closed" };
    this.#failures = 0;
  }

  #connect(): void {
    this.#abandon();
    let socket: SocketLike;
    try {
      socket = this.env.connect(this.url);
    } catch {
      this.#retry();
      return;
    }
    this.#state = { kind: "connecting", socket };
    socket.onopen = () => {
      socket.send(
        JSON.stringify({ type: "hello", version: PROTOCOL_VERSION } satisfies ClientMessage),
      );
    };
    socket.onmessage = (event: MessageEvent) => this.#onFrame(socket, event.data);
    socket.onclose = () => this.#lost();
    this.#arm(CONNECT_TIMEOUT_MS, () => this.#lost());
  }

  #onFrame(socket: SocketLike, data: unknown): void {
    this.#awaitsPong = false;
    const message = decode(data);
    if (message === undefined) return;
    if (message.type === "welcome") {
      this.#state = { kind: "up", socket };
      this.#failures = 0;
      this.#armPing(PING_EVERY_MS);
      this.events.onUp(message.challenge);
    } else if (message.type !== "pong") {
      this.events.onMessage(message);
    }
  }

  #armPing(afterMs: number): void {
    const dueMs = this.env.nowMs() + afterMs;
    this.#arm(afterMs, () => {
      const late = this.env.nowMs() - dueMs > LATE_MS;
      if (this.#awaitsPong && !late) {
        this.#lost();
        return;
      }
      this.#ping(PING_EVERY_MS);
    });
  }

  #ping(patienceMs: number): void {
    if (!this.send({ type: "ping" })) return;
    this.#awaitsPong = true;
    this.#armPing(patienceMs);
  }

  #onPage(change: PageChange): void {
    const isTrying = this.#state.kind === "waiting" || this.#state.kind === "connecting";
    if (isTrying && change === "online") {
      // What was begun without a network waits for retransmissions that come ever later.
      this.#connect();
    } else if (this.#state.kind === "up") {
      this.#ping(PROBE_MS);
    }
  }

  #lost(): void {
    this.#retry();
    this.events.onDown();
  }

  #retry(): void {
    this.#abandon();
    this.#state = { kind: "waiting" };
    const delayMs = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(this.#failures, 10));
    this.#failures += 1;
    // All clients of a restarted server would otherwise come back in the same instant.
    this.#arm(delayMs * (0.75 + this.env.random() / 2), () => this.#connect());
  }

  #abandon(): void {
    clearTimeout(this.#timer);
    this.#awaitsPong = false;
    if (this.#state.kind !== "connecting" && this.#state.kind !== "up") return;
    const { socket } = this.#state;
    socket.onopen = socket.onmessage = socket.onclose = socket.onerror = null;
    socket.close();
  }

  #arm(delayMs: number, then: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, delayMs);
  }
}

/** The message, or `undefined` if the frame is none: a server that errs must not stop a call. */
function decode(data: unknown): ServerMessage | undefined {
  if (typeof data !== "string") return undefined;
  try {
    const message: unknown = JSON.parse(data);
    const isMessage = typeof message === "object" && message !== null && "type" in message;
    return isMessage ? (message as ServerMessage) : undefined;
  } catch {
    return undefined;
  }
}

const browserEnv: SignalSocketEnv = {
  connect: (url) => new WebSocket(url),
  random: Math.random,
  nowMs: () => performance.now(),
  watchPage: (onChange) => {
    const stop = new AbortController();
    const { signal } = stop;
    window.addEventListener("online", () => onChange("online"), { signal });
    window.addEventListener("offline", () => onChange("doubt"), { signal });
    document.addEventListener(
      "visibilitychange",
      () => document.visibilityState === "visible" && onChange("online"),
      { signal },
    );
    return () => stop.abort();
  },
};
