/**
 * Child processes that tests start: always by id, always stopped.
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** The repository's root. */
export const ROOT = join(import.meta.dirname, "../../..");

/** The binary under test; `CONCLAVE_BINARY` names another one. */
export function conclave(): string {
  const path = process.env["CONCLAVE_BINARY"] ?? join(ROOT, "target/debug/conclave");
  if (!existsSync(path)) throw new Error(`${path} is not there: run \`cargo build -p conclave\``);
  return path;
}

/** A process with its output read line by line. */
export class Child {
  readonly #process: ChildProcess;
  /** Lines of standard output. */
  readonly lines: string[] = [];
  /** Lines of standard error. */
  readonly errors: string[] = [];
  /** Settles when the process has ended: its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  #isOver = false;

  constructor(command: string, args: readonly string[], environment: Record<string, string> = {}) {
    this.#process = spawn(command, args, {
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const { stdout, stderr } = this.#process;
    if (stdout !== null) createInterface(stdout).on("line", (line) => this.lines.push(line));
    if (stderr !== null) createInterface(stderr).on("line", (line) => this.errors.push(line));
    this.ended = new Promise((resolve, reject) => {
      this.#process.once("error", (error) => {
        this.#isOver = true;
        this.errors.push(error.message);
        reject(error);
      });
      this.#process.once("exit", (code, signal) => {
        this.#isOver = true;
        resolve(code ?? signal ?? 0);
      });
    });
    // Whoever awaits it sees the failure; nobody else must.
    this.ended.catch(() => {});
  }

  /** Leaves the processor to all others, like a machine of its own would. */
  makeWay(): void {
    const { pid } = this.#process;
    if (pid !== undefined && !this.#isOver) setPriority(pid, constants.priority.PRIORITY_LOW);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  signal(name: NodeJS.Signals): void {
    this.#process.kill(name);
  }

  /** Asks it to end, and makes it after five seconds. */
  async stop(name: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.#isOver) return;
    this.signal(name);
    const force = setTimeout(() => this.signal("SIGKILL"), 5000);
    await this.ended;
    clearTimeout(force);
  }
}
