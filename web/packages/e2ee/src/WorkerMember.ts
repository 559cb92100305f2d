import type {
  GroupCommand,
  GroupNews,
  NodeFault,
  NodeStatement,
  TrackSource,
} from "@conclave/wire";
import type {
  FrameCounts,
  Member,
  MemberEvents,
  MemberOptions,
  SlotAssignment,
  SlotRef,
} from "./member";
import type { Answers, FromWorker, Question, ToWorker, TransformOptions } from "./messages";

/** The worker, as far as a member needs it. */
export interface KeyWorker {
  postMessage(message: ToWorker): void;
  listen(told: (message: FromWorker) => void, died: () => void): void;
  /** Gives a sender or receiver its transform. */
  transform(end: RTCRtpSender | RTCRtpReceiver, options: TransformOptions): void;
  terminate(): void;
}

/** A member whose session lives in a worker. */
export class WorkerMember implements Member {
  readonly #worker: KeyWorker;
  readonly #events: MemberEvents;
  readonly #options: MemberOptions;
  readonly #waiting = new Map<number, (answer: Answers[keyof Answers]) => void>();
  #questions = 0;
  #ended = false;

  constructor(worker: KeyWorker, options: MemberOptions) {
    this.#worker = worker;
    this.#options = options;
    this.#events = options.events;
    worker.listen(
      (message) => this.#told(message),
      () => this.#crashed(),
    );
  }

  begin(name: string): void {
    const { meeting, secret, constitution, digest, hostKey, previous } = this.#options;
    const setup = {
      meeting,
      secret,
      constitution,
      digest,
      name,
      holdsHostKey: hostKey !== undefined,
      previous: previous ?? null,
    };
    this.#post({ type: "begin", setup, hostKey });
  }

  news(news: GroupNews): void {
    this.#post({ type: "news", news });
  }

  reconnected(): void {
    this.#post({ type: "reconnected" });
  }

  command(command: GroupCommand): void {
    this.#post({ type: "command", command });
  }

  verifyAnswer(
    sdp: string,
    relay: readonly string[],
    statement: NodeStatement,
  ): Promise<NodeFault | undefined> {
    return this.#ask({ type: "verifyAnswer", sdp, relay, statement });
  }

  signResume(challenge: string): Promise<string | undefined> {
    return this.#ask({ type: "signResume", challenge });
  }

  frameCounts(): Promise<FrameCounts> {
    return this.#ask({ type: "frameCounts" });
  }

  assign(generation: number, slots: readonly SlotAssignment[]): void {
    this.#post({ type: "assign", generation, slots });
  }

  attachSender(sender: RTCRtpSender, source: TrackSource): void {
    this.#worker.transform(sender, { direction: "send", source });
  }

  attachReceiver(receiver: RTCRtpReceiver, slot: SlotRef): void {
    this.#worker.transform(receiver, { direction: "receive", slot });
  }

  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#waiting.clear();
    this.#worker.terminate();
  }

  #post(message: ToWorker): void {
    if (!this.#ended) this.#worker.postMessage(message);
  }

  /** The answer, which never comes once the worker is gone: nothing is done on a guess. */
  #ask<Asked extends Question>(question: Asked): Promise<Answers[Asked["type"]]> {
    this.#questions += 1;
    const id = this.#questions;
    return new Promise((resolve) => {
      this.#waiting.set(id, (answer) => resolve(answer as Answers[Asked["type"]]));
      this.#post({ type: "ask", id, question });
    });
  }

  #told(message: FromWorker): void {
    if (this.#ended) return;
    switch (message.type) {
      case "request":
        this.#events.onRequest(message.request);
        break;
      case "view":
        this.#events.onView(message.view);
        break;
      case "event":
        this.#events.onEvent(message.event);
        break;
      case "answer": {
        const waiting = this.#waiting.get(message.id);
        this.#waiting.delete(message.id);
        waiting?.(message.answer);
        break;
      }
      case "crashed":
        this.#crashed();
        break;
    }
  }

  #crashed(): void {
    if (this.#ended) return;
    this.close();
    this.#events.onCrashed();
  }
}
