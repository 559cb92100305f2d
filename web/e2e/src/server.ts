/**
 * The server under test: `conclave serve` on free ports, with data of its own.
 * @module
 */

import { createSocket } from "node:dgram";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Network } from "./network.ts";
import { Child, conclave } from "./process.ts";
import { until } from "./until.ts";

/** How a server differs from the default. */
export interface ServerOptions {
  /** The most participants of one call. */
  readonly maxParticipants?: number;
  /** What it wants cameras to be sent in: VP8, unless told otherwise. */
  readonly cameraCodec?: "auto" | "vp8" | "vp9";
  /** The ways by which it relays media; none, unless told otherwise. */
  readonly turn?: readonly ("tcp" | "tls" | "udp")[];
  /** Whether media may come to the HTTPS port as it is; yes, unless told otherwise. */
  readonly httpsMedia?: boolean;
  /** Where it listens for HTTPS; at any free port if absent. */
  readonly httpsPort?: number;
  /** Where it runs; on the machine itself if absent. */
  readonly network?: Network;
}

interface Ports {
  readonly https: number;
  readonly udp: number;
  readonly tcp: number;
  readonly turnUdp: number;
  readonly turnTcp: number;
  readonly admin: number;
}

/** A running server. */
export class Server {
  readonly #options: ServerOptions;
  readonly #folder: string;
  readonly #ports: Ports;
  readonly #host: string;
  #child: Child;

  private constructor(options: ServerOptions, ports: Ports) {
    this.#options = options;
    this.#ports = ports;
    this.#host = options.network?.address ?? "localhost";
    this.#folder = mkdtempSync(join(tmpdir(), "conclave-e2e-data-"));
    this.#child = this.#spawn();
  }

  /** Starts a server and waits until it is ready. */
  static async start(options: ServerOptions = {}): Promise<Server> {
    const [https, tcp, turnTcp, admin] = await Promise.all([
      freeTcpPort(),
      freeTcpPort(),
      freeTcpPort(),
      freeTcpPort(),
    ]);
    const [udp, turnUdp] = await Promise.all([freeUdpPort(), freeUdpPort()]);
    const ports = { https: options.httpsPort ?? https, udp, tcp, turnUdp, turnTcp, admin };
    const server = new Server(options, ports);
    await server.#ready();
    return server;
  }

  /** The address of its home page, without a slash at the end. */
  get url(): string {
    const host = this.#host.includes(":") ? `[${this.#host}]` : this.#host;
    return `https://${host}:${this.#ports.https}`;
  }

  /** Its name or its address; one of IPv6 without brackets. */
  get host(): string {
    return this.#host;
  }

  /** What proves that it is this server; `undefined` where being on this machine is enough. */
  get certificate(): string | undefined {
    return this.#host === "localhost" ? undefined : join(this.#folder, "self-signed.pem");
  }

  get httpsPort(): number {
    return this.#ports.https;
  }

  get udpPort(): number {
    return this.#ports.udp;
  }

  /** Where it takes media over TCP. */
  get mediaTcpPort(): number {
    return this.#ports.tcp;
  }

  /** The process. */
  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error("the server does not run");
    return pid;
  }

  /** Where it keeps what survives it. */
  get folder(): string {
    return this.#folder;
  }

  /** Ends it without a word, as a crash would. */
  async kill(): Promise<void> {
    await this.#child.stop("SIGKILL");
  }

  /** Starts it again on the same ports and data; returns when it is ready. */
  async restart(): Promise<void> {
    this.#child = this.#spawn();
    await this.#ready();
  }

  /** Stops its clock: it holds its sockets and answers nothing. */
  freeze(): void {
    this.#child.signal("SIGSTOP");
  }

  thaw(): void {
    this.#child.signal("SIGCONT");
  }

  transcript(): string {
    return `${[...this.#child.lines, "", ...this.#child.errors].join("\n")}\n`;
  }

  async close(): Promise<void> {
    this.thaw();
    await this.#child.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #spawn(): Child {
    const { https, udp, tcp, turnUdp, turnTcp, admin } = this.#ports;
    const { network, maxParticipants, cameraCodec = "vp8", turn = [] } = this.#options;
    const { httpsMedia = true } = this.#options;
    const everywhere = network?.ipVersion === 6 ? "[::]" : "0.0.0.0";
    const settings: Record<string, string> = {
      CONCLAVE__HTTP__LISTEN: `${everywhere}:${https}`,
      CONCLAVE__MEDIA__UDP_PORT: String(udp),
      CONCLAVE__MEDIA__TCP_PORT: String(tcp),
      CONCLAVE__TURN__UDP_PORT: String(turn.includes("udp") ? turnUdp : 0),
      CONCLAVE__TURN__TCP_PORT: String(turn.includes("tcp") ? turnTcp : 0),
      CONCLAVE__TURN__TLS_PORT: String(turn.includes("tls") ? https : 0),
      CONCLAVE__ADMIN__LISTEN: `127.0.0.1:${admin}`,
      CONCLAVE__STORE__PATH: this.#folder,
      // Else the machine's strength would decide what is tested, and which ports are taken.
      CONCLAVE__MEDIA__CAMERA_CODEC: cameraCodec,
      CONCLAVE__MEDIA__SHARDS: "1",
      // All the people of a test run come from one address.
      CONCLAVE__LIMITS__MEETINGS_PER_MINUTE: "10000",
      CONCLAVE__LIMITS__LOOKUPS_PER_MINUTE: "10000",
    };
    if (!httpsMedia) settings["CONCLAVE__MEDIA__HTTPS_PORT"] = "0";
    if (maxParticipants !== undefined) {
      settings["CONCLAVE__LIMITS__MAX_PARTICIPANTS"] = String(maxParticipants);
    }
    const command = [conclave(), "serve", "--json"];
    const [program = "", ...args] =
      network === undefined ? command : ["ip", "netns", "exec", network.name, ...command];
    return new Child(program, args, settings);
  }

  async #ready(): Promise<void> {
    const child = this.#child;
    await until("the server to be ready", () => {
      if (child.isOver) throw new Error(`the server ended: ${child.errors.slice(-5).join("\n")}`);
      return child.lines.some((line) => line.includes('"url"'));
    });
  }
}

function freeTcpPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once("error", reject);
    probe.listen(0, () => {
      const address = probe.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}

function freeUdpPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createSocket("udp4").once("error", reject);
    probe.bind(0, () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
