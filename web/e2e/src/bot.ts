/**
 * Native participants: `conclave bot`.
 * @module
 */

import { Child, conclave } from "./process.ts";

/** How a bot takes part. */
export interface BotOptions {
  /** How many participants the one process runs. */
  readonly count?: number;
  readonly args?: readonly string[];
}

/** A process of native participants. */
export class Bot {
  readonly #child: Child;

  constructor(link: string, { count = 1, args = [] }: BotOptions = {}) {
    this.#child = new Child(conclave(), [
      "bot",
      link,
      "--json",
      "--insecure",
      "--count",
      String(count),
      ...args,
    ]);
  }

  /** What it reported so far, oldest first. */
  reports(): unknown[] {
    return this.#child.lines.flatMap((line) => {
      try {
        return [JSON.parse(line)];
      } catch {
        return [];
      }
    });
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
