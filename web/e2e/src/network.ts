/**
 * A network of its own for a server, so that a test can cut it, make it narrow, make it bad, or let
 * somebody come from elsewhere in mid-call. It needs root.
 * @module
 */

import { execFileSync } from "node:child_process";
import { randomInt } from "node:crypto";

import { type Carried, RoughLink, type Roughness } from "./roughLink.ts";

let made = 0;

/** What of a network differs from a good one with IPv4. */
export interface NetworkOptions {
  /** How bad the cable is; good if absent. */
  readonly roughness?: Roughness | undefined;
  /** The only version of IP that is spoken on the cable. */
  readonly ipVersion?: 4 | 6;
}

/** What passed since a peer's packets come from somewhere else. */
export interface Rebound {
  /** Packets that came from the new place. */
  readonly fromNew: number;
  /** Packets that were sent to the new place. */
  readonly toNew: number;
  /** Packets that were sent to the old place, and got lost. */
  readonly toOld: number;
}

/** A network namespace, joined to the machine by one cable. */
export class Network {
  /** The namespace's name. */
  readonly name: string;
  readonly ipVersion: 4 | 6;
  /** The server's address in it. */
  readonly address: string;
  /** This machine's end of the cable: all that goes to the server and comes from it passes it. */
  get device(): string {
    return this.#cable;
  }

  readonly #cable: string;
  readonly #nearAddress: string;
  readonly #prefixLength: number;
  #roughLink: RoughLink | undefined;
  #hasRebound = false;

  private constructor(ipVersion: 4 | 6) {
    made += 1;
    this.name = `conclave-e2e-${process.pid}-${made}`;
    this.ipVersion = ipVersion;
    this.#cable = `cv${process.pid % 100_000}n${made}`;
    const { near, far, prefixLength } = ipVersion === 4 ? someSubnet() : someSubnetV6();
    this.#nearAddress = near;
    this.address = far;
    this.#prefixLength = prefixLength;
  }

  /** Lays a network: a good one with IPv4, unless told otherwise. */
  static async lay({ roughness, ipVersion = 4 }: NetworkOptions = {}): Promise<Network> {
    const network = new Network(ipVersion);
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
    const withPrefix = (address: string) => `${address}/${this.#prefixLength}`;
    // Else IPv6 would first ask whether a neighbour has it: meanwhile it cannot be bound.
    const atOnce = this.ipVersion === 6 ? ["nodad"] : [];
    ip("addr", "add", withPrefix(this.#nearAddress), "dev", near, ...atOnce);
    ip("link", "set", near, "up");
    ip("-n", this.name, "addr", "add", withPrefix(this.address), "dev", far, ...atOnce);
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

  /**
   * From now on, what this machine sends from a UDP port comes to the server from another port, and
   * from another address as well if there is to be a new one: as with a NAT that has forgotten
   * somebody, or has got another line to the world. The sender is not told, and what still goes to
   * the old place gets lost. For one port at a time, over IPv4.
   */
  rebind(port: number, { newAddress }: { readonly newAddress: boolean }): void {
    const old = { address: this.#nearAddress, port };
    const address = newAddress ? `198.19.${randomInt(256)}.${1 + randomInt(254)}` : old.address;
    // Beyond those that Linux gives to sockets: nobody else has it.
    const now = { address, port: 61_000 + randomInt(4000) };
    if (newAddress) {
      const route = [`${address}/32`, "via", old.address, "dev", this.#farEnd];
      ip("-n", this.name, "route", "replace", ...route);
    }
    this.#hasRebound = true;
    this.#nft(`
      table ip rebound {}
      delete table ip rebound
      table ip rebound {
        counter fromNew {}
        counter toNew {}
        counter toOld {}
        chain in {
          type filter hook prerouting priority raw
          ip saddr ${old.address} udp sport ${old.port} counter name fromNew ip saddr set ${now.address} udp sport set ${now.port}
        }
        chain out {
          type filter hook output priority raw
          ip daddr ${old.address} udp dport ${old.port} counter name toOld drop
          ip daddr ${now.address} udp dport ${now.port} counter name toNew ip daddr set ${old.address} udp dport set ${old.port}
        }
      }`);
  }

  /** Why this machine cannot do that, if so. */
  get obstacleToRebinding(): string | undefined {
    try {
      this.#nft("--check", "table ip rebound {}");
      return undefined;
    } catch (error) {
      return `no nftables here: ${String(error).split("\n")[0]}`;
    }
  }

  /** What passed since {@link rebind}. */
  get rebound(): Rebound {
    const listed = this.#nft("--json", "list counters table ip rebound");
    const { nftables } = JSON.parse(listed) as {
      readonly nftables: readonly { readonly counter?: { name: string; packets: number } }[];
    };
    const packets = (name: keyof Rebound) =>
      nftables.find(({ counter }) => counter?.name === name)?.counter?.packets ?? 0;
    return { fromNew: packets("fromNew"), toNew: packets("toNew"), toOld: packets("toOld") };
  }

  /** Everything passes again, and as it was sent. */
  mend(): void {
    if (this.#hasRebound) this.#nft("delete table ip rebound");
    this.#hasRebound = false;
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

  /** Rules in one argument take effect all at once. */
  #nft(...args: readonly string[]): string {
    const command = ["netns", "exec", this.name, "nft", ...args];
    return execFileSync("ip", command, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
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

interface Subnet {
  readonly near: string;
  readonly far: string;
  readonly prefixLength: number;
}

/**
 * Others on this machine may test at the same time: one of many networks, by chance. Of those for
 * tests of networks (RFC 2544): Chromium sends no media to port 443 of a private one.
 */
function someSubnet(): Subnet {
  const subnet = `198.18.${randomInt(256)}`;
  const first = 4 * randomInt(64);
  return { near: `${subnet}.${first + 1}`, far: `${subnet}.${first + 2}`, prefixLength: 30 };
}

/** The same of IPv6 (RFC 5180), written as everybody shortens it (RFC 5952). */
function someSubnetV6(): Subnet {
  const subnet = `2001:2:0:${(1 + randomInt(0xffff)).toString(16)}`;
  return { near: `${subnet}::1`, far: `${subnet}::2`, prefixLength: 64 };
}

function ip(...args: readonly string[]): void {
  execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });
}

function tc(where: readonly string[], ...args: readonly string[]): void {
  execFileSync("tc", [...where, ...args], { stdio: ["ignore", "ignore", "pipe"] });
}
