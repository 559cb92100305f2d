/**
 * Native participants: `conclave bot`.
 * @module
 */

import { Child, conclave } from "./process.ts";
import { type Patience, until } from "./until.ts";

/** How a bot takes part. */
export interface BotOptions {
  /** How many participants the one process runs. */
  readonly count?: number;
  readonly args?: readonly string[];
  /** The certificate of a server on another machine, or in a network of its own. */
  readonly certificate?: string | undefined;
  /** Whether it is to disturb those who are measured as little as another machine would. */
  readonly isElsewhere?: boolean;
}

/** What a bot reports, as far as tests read it. */
export interface BotReport {
  readonly name: string;
  readonly others: number;
  /** When its leaf was in the group; `null` while it is at the door. */
  readonly admittedMs: number | null;
  readonly received: readonly { readonly frames: number; readonly width: number }[];
}

/** A process of native participants. */
export class Bot {
  readonly #child: Child;
  readonly #count: number;

  constructor(
    link: string,
    { count = 1, args = [], certificate, isElsewhere = false }: BotOptions = {},
  ) {
    this.#count = count;
    this.#child = new Child(conclave(), [
      "bot",
      link,
      "--json",
      "--report-every",
      "0.5",
      "--count",
      String(count),
      ...(certificate === undefined ? [] : ["--ca", certificate]),
      ...args,
    ]);
    if (isElsewhere) this.#child.makeWay();
  }

  /** What it reported so far, oldest first. */
  reports(): BotReport[] {
    return this.#child.lines.flatMap((line) => {
      try {
        return [JSON.parse(line)];
      } catch {
        return [];
      }
    });
  }

  /** Waits until all its participants are in the group. */
  async isIn(patience?: Patience): Promise<void> {
    await until(
      `${this.#count} bots to be let in`,
      () => {
        const inside = this.reports().filter(({ admittedMs }) => admittedMs !== null);
        return new Set(inside.map(({ name }) => name)).size === this.#count;
      },
      { everyMs: 500, ...patience },
    );
  }

  /** Waits until it has received new frames since this was called. */
  async receives(patience?: Patience): Promise<void> {
    const before = this.#frames();
    await until("the bot to receive frames", () => this.#frames() > before, patience);
  }

  #frames(): number {
    const { received = [] } = this.reports().at(-1) ?? {};
    return received.reduce((sum, { frames }) => sum + frames, 0);
  }

  transcript(): string {
    return `${[...this.#child.lines, "", ...this.#child.errors].join("\n")}\n`;
  }

  /** Leaves the call. */
  async leave(): Promise<void> {
    await this.#child.stop("SIGINT");
  }

  /** Vanishes without a word. */
  async kill(): Promise<void> {
    await this.#child.stop("SIGKILL");
  }

  async close(): Promise<void> {
    await this.leave();
  }
}
