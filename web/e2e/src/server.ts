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
  /** Where it runs; on the machine itself if absent. */
  readonly network?: Network;
}

/** A running server. */
export class Server {
  readonly #options: ServerOptions;
  readonly #folder: string;
  readonly #ports: { readonly https: number; readonly udp: number; readonly admin: number };
  readonly #host: string;
  #child: Child;

  private constructor(
    options: ServerOptions,
    ports: { readonly https: number; readonly udp: number; readonly admin: number },
  ) {
    this.#options = options;
    this.#ports = ports;
    this.#host = options.network?.address ?? "localhost";
    this.#folder = mkdtempSync(join(tmpdir(), "conclave-e2e-data-"));
    this.#child = this.#spawn();
  }

  /** Starts a server and waits until it is ready. */
  static async start(options: ServerOptions = {}): Promise<Server> {
    const [https, admin] = await Promise.all([freeTcpPort(), freeTcpPort()]);
    const server = new Server(options, { https, admin, udp: await freeUdpPort() });
    await server.#ready();
    return server;
  }

  /** The address of its home page, without a slash at the end. */
  get url(): string {
    return `https://${this.#host}:${this.#ports.https}`;
  }

  get host(): string {
    return this.#host;
  }

  get httpsPort(): number {
    return this.#ports.https;
  }

  get udpPort(): number {
    return this.#ports.udp;
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
    const { https, udp, admin } = this.#ports;
    const { network, maxParticipants } = this.#options;
    const args = [
      "serve",
      "--json",
      "--listen",
      `0.0.0.0:${https}`,
      "--admin-listen",
      `127.0.0.1:${admin}`,
      "--udp-port",
      String(udp),
      "--data-dir",
      this.#folder,
      ...(maxParticipants === undefined ? [] : ["--max-participants", String(maxParticipants)]),
    ];
    if (network === undefined) return new Child(conclave(), args);
    return new Child("ip", ["netns", "exec", network.name, conclave(), ...args]);
  }

  async #ready(): Promise<void> {
    const child = this.#child;
    await until("the server to be ready", () => {
      if (child.isOver) throw new Error(`the server ended: ${child.errors.slice(-5).join("\n")}`);
      return child.lines.some((line) => line.includes('"ready"'));
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
