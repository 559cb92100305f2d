/**
 * A network of its own for a server, so that a test can cut it, make it narrow or make it bad. It
 * needs root.
 * @module
 */

import { execFileSync } from "node:child_process";
import { randomInt } from "node:crypto";

import { type Carried, RoughLink, type Roughness } from "./roughLink.ts";

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
  readonly #nearAddress: string;
  #roughLink: RoughLink | undefined;

  private constructor() {
    made += 1;
    this.name = `conclave-e2e-${process.pid}-${made}`;
    this.#cable = `cv${process.pid % 100_000}n${made}`;
    // Others on this machine may test at the same time: one of many networks, by chance.
    // Of those for tests of networks (RFC 2544): Chromium sends no media to port 443 of a private one.
    const subnet = `198.18.${randomInt(256)}`;
    const first = 4 * randomInt(64);
    this.#nearAddress = `${subnet}.${first + 1}`;
    this.address = `${subnet}.${first + 2}`;
  }

  /** Lays a network: with a good cable, unless told how bad it is to be. */
  static async lay(roughness?: Roughness): Promise<Network> {
    const network = new Network();
    ip("netns", "add", network.name);
    try {
      await network.#join(roughness);
    } catch (error) {
      await network.remove();
      throw error;
    }
    return network;
  }

  async #join(roughness: Roughness | undefined): Promise<void> {
    const [near, far] = [this.#cable, this.#farEnd];
    if (roughness === undefined) {
      ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", this.name);
    } else {
      this.#roughLink = await RoughLink.lay(near, far, roughness);
      ip("link", "set", far, "netns", this.name);
    }
    ip("addr", "add", `${this.#nearAddress}/30`, "dev", near);
    ip("link", "set", near, "up");
    ip("-n", this.name, "addr", "add", `${this.address}/30`, "dev", far);
    ip("-n", this.name, "link", "set", far, "up");
    ip("-n", this.name, "link", "set", "lo", "up");
  }

  /** What became of the packets on a bad cable so far; a good one does not count. */
  get carried(): Carried | undefined {
    return this.#roughLink?.carried;
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
  async remove(): Promise<void> {
    await this.#roughLink?.remove();
    ip("netns", "del", this.name);
  }

  #shape(...limit: readonly string[]): void {
    const ends = this.#ends();
    const cut = limit.includes("8bit");
    for (const [where, device] of cut ? ends : ends.slice(0, 1)) {
      tc(where, "qdisc", "replace", "dev", device, "root", "tbf", ...limit);
    }
  }

  get #farEnd(): string {
    return `${this.#cable}b`;
  }

  /** The server's end first. */
  #ends(): readonly (readonly [readonly string[], string])[] {
    return [
      [["-n", this.name], this.#farEnd],
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
