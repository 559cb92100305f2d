/**
 * What tests share, made when first needed: browser processes and one server.
 * @module
 */

import { Chromium, type ChromiumOptions } from "./chromium.ts";
import { Firefox } from "./firefox.ts";
import { Network, type NetworkOptions } from "./network.ts";
import type { Roughness } from "./roughLink.ts";
import { Server } from "./server.ts";
import type { Tab, TabOptions } from "./tab.ts";

/** What a page needs that only warms a browser up. */
const PLAIN: TabOptions = {
  label: "warm-up",
  probe: { camera: undefined, screen: undefined },
  width: 400,
  height: 300,
  locale: "en-GB",
  colourScheme: "light",
  initScripts: [],
};

/** The port that HTTPS has in the world outside: a server in a network of its own may have it too. */
export const HTTPS_PORT = 443;

/** A good line with a firewall in it. */
const ONLY_HTTPS: Roughness = { loss: 0, delayMs: 0, jitterMs: 0, onlyTcpTo: HTTPS_PORT };

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

  /** Another network, into which a firewall lets nothing but HTTPS, or why this machine has none. */
  readonly walledNetwork: Network | string;

  /** A good network that speaks nothing but IPv6, or why this machine has none. */
  readonly ipv6Network: Network | string;

  private constructor(
    network: Network | string,
    walledNetwork: Network | string,
    ipv6Network: Network | string,
  ) {
    this.network = network;
    this.walledNetwork = walledNetwork;
    this.ipv6Network = ipv6Network;
  }

  /** Makes a world whose network is good, unless told how bad it is to be. */
  static async create(roughness?: Roughness): Promise<World> {
    return new World(
      await lay({ roughness }),
      await lay({ roughness: ONLY_HTTPS }),
      await lay({ ipVersion: 6 }),
    );
  }

  /**
   * Opens a page in each browser. The first one of a process takes many seconds on a cold machine,
   * which no test is to pay for.
   */
  async warmUp(): Promise<void> {
    const { url } = await this.server();
    const visit = async (open: () => Promise<Tab>) => {
      const tab = await open();
      await tab.goto(url);
      await tab.close();
    };
    // One after the other: side by side, both take longer than a start may take.
    await visit(async () => (await this.chromium()).open(PLAIN));
    await visit(async () => (await this.firefox()).open(PLAIN));
  }

  /** The Chromium process with these options. */
  chromium(options: ChromiumOptions = {}): Promise<Chromium> {
    const key = JSON.stringify(options);
    const running = this.#chromiums.get(key) ?? twice(() => Chromium.launch(options));
    this.#chromiums.set(key, running);
    return running;
  }

  firefox(): Promise<Firefox> {
    const firefox = this.#firefox ?? twice(() => Firefox.launch());
    this.#firefox = firefox;
    return firefox;
  }

  /** The server for all tests that do nothing to it. */
  server(): Promise<Server> {
    const server = this.#server ?? Server.start();
    this.#server = server;
    return server;
  }

  /** That server, if a test has used it. */
  get runningServer(): Promise<Server> | undefined {
    return this.#server;
  }

  /** Ends browsers and server; what is asked for from here on is new. */
  async renew(): Promise<void> {
    const parts = [...this.#chromiums.values(), this.#firefox, this.#server];
    this.#chromiums.clear();
    this.#firefox = undefined;
    this.#server = undefined;
    const ends = Promise.allSettled(parts.map(async (part) => (await part)?.close()));
    // A browser that hangs is left behind: its end must not be waited for.
    await Promise.race([ends, new Promise((resolve) => setTimeout(resolve, 30_000))]);
  }

  async close(): Promise<void> {
    await this.renew();
    for (const network of [this.network, this.walledNetwork, this.ipv6Network]) {
      if (network instanceof Network) await network.remove();
    }
  }
}

/** A network, or why this machine has none. */
async function lay(options: NetworkOptions): Promise<Network | string> {
  return Network.lay(options).catch(
    (error: unknown) => `no network namespace here: ${String(error).split("\n")[0]}`,
  );
}

/** A browser that does not start on a busy machine may start on the second try. */
async function twice<T>(launch: () => Promise<T>): Promise<T> {
  return launch().catch(() => launch());
}
