/**
 * A network of its own for a server, so that a test can cut it or make it narrow. It needs root.
 * @module
 */

import { execFileSync } from "node:child_process";
import { randomInt } from "node:crypto";

let made = 0;

/** A network namespace, joined to the machine by one cable. */
export class Network {
  /** The namespace's name. */
  readonly name: string;
  /** The server's address in it. */
  readonly address: string;
  /** This machine's end of the cable: all that goes to the server and comes from it passes it. */
  get device(): string {
    return this.#cable;
  }

  readonly #cable: string;

  private constructor() {
    made += 1;
    this.name = `conclave-e2e-${process.pid}-${made}`;
    this.#cable = `cv${process.pid % 100_000}n${made}`;
    // Others on this machine may test at the same time: one of many networks, by chance.
    const subnet = `10.213.${randomInt(256)}`;
    const first = 4 * randomInt(64);
    this.address = `${subnet}.${first + 2}`;
    const far = `${this.#cable}b`;
    ip("netns", "add", this.name);
    try {
      ip("link", "add", this.#cable, "type", "veth", "peer", "name", far, "netns", this.name);
      ip("addr", "add", `${subnet}.${first + 1}/30`, "dev", this.#cable);
      ip("link", "set", this.#cable, "up");
      ip("-n", this.name, "addr", "add", `${this.address}/30`, "dev", far);
      ip("-n", this.name, "link", "set", far, "up");
      ip("-n", this.name, "link", "set", "lo", "up");
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  /** Lays a network. */
  static lay(): Network {
    return new Network();
  }

  /** Nothing passes, and neither end is told. */
  cut(): void {
    this.#shape("rate", "8bit", "burst", "1", "limit", "1");
  }

  /** What the server sends is held to this rate. */
  narrow(kbps: number): void {
    this.#shape("rate", `${kbps}kbit`, "burst", "10kb", "latency", "150ms");
  }

  /** Everything passes again. */
  mend(): void {
    for (const [where, device] of this.#ends()) {
      try {
        tc(where, "qdisc", "del", "dev", device, "root");
      } catch {
        // It was whole.
      }
    }
  }

  /** Takes it away; what runs in it loses its network. */
  remove(): void {
    ip("netns", "del", this.name);
  }

  #shape(...limit: readonly string[]): void {
    const ends = this.#ends();
    const cut = limit.includes("8bit");
    for (const [where, device] of cut ? ends : ends.slice(0, 1)) {
      tc(where, "qdisc", "replace", "dev", device, "root", "tbf", ...limit);
    }
  }

  /** The server's end first. */
  #ends(): readonly (readonly [readonly string[], string])[] {
    return [
      [["-n", this.name], `${this.#cable}b`],
      [[], this.#cable],
    ];
  }
}

function ip(...args: readonly string[]): void {
  execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });
}

function tc(where: readonly string[], ...args: readonly string[]): void {
  execFileSync("tc", [...where, ...args], { stdio: ["ignore", "ignore", "pipe"] });
}
