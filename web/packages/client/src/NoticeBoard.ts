import type { MuteWhat } from "@conclave/wire";

import type { Notice, NoticeKind } from "./snapshot";

/** So many people may come and go within {@link CROWD_MS} before it is a crowd, told by nobody. */
const CROWD = 3;
const CROWD_MS = 5_000;

/** After joining, those who were there already are no news. */
const QUIET_MS = 1_000;

/** Older ones make room. */
const MAX_NOTICES = 5;

/** What happened, for a toast each. */
export class NoticeBoard {
  #notices: readonly Notice[] = [];
  #nextId = 1;
  #quietUntilMs = Number.NEGATIVE_INFINITY;
  #comings: readonly number[] = [];

  get notices(): readonly Notice[] {
    return this.#notices;
  }

  /** Puts one up, unless the same is up. */
  put(kind: NoticeKind, about: Pick<Notice, "name" | "what"> = {}): void {
    const isUp = (notice: Notice): boolean =>
      notice.kind === kind && notice.name === about.name && notice.what === about.what;
    if (this.#notices.some(isUp)) return;
    const notice: Notice = { id: this.#nextId, kind, ...about };
    this.#nextId += 1;
    this.#notices = [...this.#notices, notice].slice(-MAX_NOTICES);
  }

  /** Somebody joined or left; said only while few do. */
  coming(kind: "joined" | "left", name: string, nowMs: number): void {
    if (nowMs < this.#quietUntilMs) return;
    this.#comings = [...this.#comings.filter((atMs) => nowMs - atMs < CROWD_MS), nowMs];
    if (this.#comings.length <= CROWD) this.put(kind, { name });
  }

  /** The call was just joined. */
  quiet(nowMs: number): void {
    this.#quietUntilMs = nowMs + QUIET_MS;
  }

  dismiss(id: number): void {
    this.#notices = this.#notices.filter((notice) => notice.id !== id);
  }

  /** Takes down what is no longer so; of all kinds of it, or of one. */
  retract(kind: NoticeKind, what?: MuteWhat): void {
    this.#notices = this.#notices.filter(
      (notice) => notice.kind !== kind || (what !== undefined && notice.what !== what),
    );
  }

  clear(): void {
    this.#notices = [];
  }
}
