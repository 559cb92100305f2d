/**
 * A line that loses and delays packets: two network interfaces and a process that carries packets
 * between them. It needs root, and Python for the system call that Node does not have.
 * @module
 */

import { join } from "node:path";

import { Child } from "./process.ts";
import { until } from "./until.ts";

/** How a line treats the packets of each direction, whatever they carry. */
export interface Roughness {
  /** The share of packets that is lost, from 0 to 1. */
  readonly loss: number;
  /** How long each packet takes at least. */
  readonly delayMs: number;
  /** How much longer it takes at most: by chance, evenly distributed. */
  readonly jitterMs: number;
  /**
   * Nothing passes but TCP to this port at the far end, and what comes back; everything does if
   * absent. What is blocked is not answered.
   */
  readonly onlyTcpTo?: number;
}

/** Packets that a line took, lost and blocked since it was laid. */
export interface Carried {
  readonly taken: number;
  readonly lost: number;
  readonly blocked: number;
  /** Packets of media that came again, the same in every byte. */
  readonly again: number;
  /** Packets of media with the numbers of another one before, and something else in them. */
  readonly changed: number;
}

const NOTHING: Carried = { taken: 0, lost: 0, blocked: 0, again: 0, changed: 0 };

/** A bad line. */
export class RoughLink {
  readonly #child: Child;

  private constructor(child: Child) {
    this.#child = child;
  }

  /** Makes two interfaces of these names, without addresses, and a line between them. */
  static async lay(near: string, far: string, roughness: Roughness): Promise<RoughLink> {
    const { loss, delayMs, jitterMs, onlyTcpTo } = roughness;
    const script = join(import.meta.dirname, "roughLink.py");
    const child = new Child("python3", [
      script,
      ...[near, far],
      ...[loss, delayMs, jitterMs].map(String),
      ...(onlyTcpTo === undefined ? [] : [String(onlyTcpTo)]),
    ]);
    const link = new RoughLink(child);
    try {
      await until("a bad line", () => {
        if (child.isOver) throw new Error(child.errors.at(-1));
        return child.lines.includes("ready");
      });
    } catch (error) {
      await link.remove();
      throw error;
    }
    return link;
  }

  /** As of the last second. */
  get carried(): Carried {
    const newest = this.#child.lines.at(-1);
    return newest?.startsWith("{") ? JSON.parse(newest) : NOTHING;
  }

  async remove(): Promise<void> {
    await this.#child.stop();
  }
}
