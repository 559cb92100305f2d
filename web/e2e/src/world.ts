/**
 * What tests share, made when first needed: browser processes and one server.
 * @module
 */

import { Chromium, type ChromiumOptions } from "./chromium.ts";
import { Firefox } from "./firefox.ts";
import { Server } from "./server.ts";

/** What tests share. */
export class World {
  readonly #chromiums = new Map<string, Promise<Chromium>>();
  #firefox: Promise<Firefox> | undefined;
  #server: Promise<Server> | undefined;

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
  }
}
