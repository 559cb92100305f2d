/**
 * What tests share, made when first needed: browser processes and one server.
 * @module
 */

import { Chromium, type ChromiumOptions } from "./chromium.ts";
import { Firefox } from "./firefox.ts";
import { Network } from "./network.ts";
import { Server } from "./server.ts";

/** What tests share. */
export class World {
  readonly #chromiums = new Map<string, Promise<Chromium>>();
  #firefox: Promise<Firefox> | undefined;
  #server: Promise<Server> | undefined;

  /**
   * A network that a test may cut and narrow, or why this machine has none. It is laid before any
   * browser starts: a browser drops what it loads when it notices a new one.
   */
  readonly network: Network | string;

  constructor() {
    try {
      this.network = Network.lay();
    } catch (error) {
      this.network = `no network namespace here: ${String(error).split("\n")[0]}`;
    }
  }

  /** The Chromium process with these options. */
  chromium(options: ChromiumOptions = {}): Promise<Chromium> {
    const key = JSON.stringify(options);
    const running = this.#chromiums.get(key) ?? Chromium.launch(options);
    this.#chromiums.set(key, running);
    return running;
  }

  firefox(): Promise<Firefox> {
    const firefox = this.#firefox ?? Firefox.launch();
    this.#firefox = firefox;
    return firefox;
  }

  /** The server for all tests that do nothing to it. */
  server(): Promise<Server> {
    const server = this.#server ?? Server.start();
    this.#server = server;
    return server;
  }

  async close(): Promise<void> {
    const parts = [...this.#chromiums.values(), this.#firefox, this.#server];
    await Promise.allSettled(parts.map(async (part) => (await part)?.close()));
    if (this.network instanceof Network) this.network.remove();
  }
}
