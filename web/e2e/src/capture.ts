/**
 * Keeps every packet that passes a network interface. It needs root, and Python for the raw socket
 * that Node does not have.
 * @module
 */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Child } from "./process.ts";
import { until } from "./until.ts";

const SCRIPT = `
import socket, sys
packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
packets.bind((sys.argv[1], 0))
with open(sys.argv[2], "wb", buffering=0) as out:
    print("ready", flush=True)
    while True:
        out.write(packets.recv(65535))
`;

/** Packets as they pass. */
export class Capture {
  readonly #child: Child;
  readonly #path: string;

  private constructor(device: string) {
    this.#path = join(mkdtempSync(join(tmpdir(), "conclave-e2e-packets-")), "packets");
    this.#child = new Child("python3", ["-c", SCRIPT, device, this.#path]);
  }

  /** Why this machine cannot capture, if so. */
  static obstacle(): string | undefined {
    try {
      execFileSync("python3", ["-c", "import socket; socket.AF_PACKET"], { stdio: "ignore" });
      return undefined;
    } catch {
      return "no Python here to capture packets with";
    }
  }

  /** Begins to keep what passes `device`. */
  static async on(device: string): Promise<Capture> {
    const capture = new Capture(device);
    await until("the capture to begin", () => capture.#child.lines.includes("ready"));
    return capture;
  }

  /** Ends it, and returns all that passed, one packet after the other. */
  async end(): Promise<Buffer> {
    await this.close();
    return readFileSync(this.#path);
  }

  async close(): Promise<void> {
    await this.#child.stop("SIGTERM");
  }
}
