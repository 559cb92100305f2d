/**
 * What one test uses: its pages, bots and servers, closed when it is over.
 * @module
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";

import { Bot, type BotOptions } from "./bot.ts";
import type { ChromiumOptions, ChromiumTab } from "./chromium.ts";
import { COLOURS, type Colour } from "./colour.ts";
import type { Network } from "./network.ts";
import { ROOT } from "./process.ts";
import { Server, type ServerOptions } from "./server.ts";
import { type BrowserName, type Tab, type TabOptions, visibleText } from "./tab.ts";
import { HTTPS_PORT, type World } from "./world.ts";

/** How much of each log a failure is reported with. */
const TRACE_LINES = 6;
const TRACE_CHARS = 300;

/** How a test opens a page. */
export interface OpenOptions {
  readonly label?: string;
  /** The colour that its camera shows; the browser's fake picture if absent. */
  readonly colour?: Colour;
  /** The size of that picture. */
  readonly cameraSize?: readonly [number, number];
  /** Draws somebody in front of the colour: which one. */
  readonly portrait?: number;
  /** The colour that it shares as its screen; the browser's own choice if absent. */
  readonly screen?: Colour;
  readonly size?: readonly [number, number];
  readonly locale?: string;
  readonly colourScheme?: "light" | "dark";
  readonly initScripts?: readonly (() => void)[];
  /** Flags of the process, for Chromium. */
  readonly chromium?: ChromiumOptions;
}

/** What one test uses. */
export class Stage {
  readonly world: World;
  /** What the test has to report beside its outcome. */
  readonly notes: string[] = [];
  readonly #tabs: Tab[] = [];
  readonly #bots: Bot[] = [];
  readonly #servers: Server[] = [];
  readonly #cleanUps: (() => Promise<void> | void)[] = [];
  readonly #origins = new Set<string>();

  constructor(world: World) {
    this.world = world;
  }

  /** The shared server. */
  async server(): Promise<Server> {
    const server = await this.world.server();
    this.#origins.add(new URL(server.url).host);
    return server;
  }

  /** A server of this test's own, to be killed, starved or cut off. */
  async ownServer(options: ServerOptions = {}): Promise<Server> {
    const server = await Server.start(options);
    this.#servers.push(server);
    this.#origins.add(new URL(server.url).host);
    return server;
  }

  /** A server of this test's own, behind a network that can be cut and narrowed. */
  async serverBehindNetwork(
    options: Omit<ServerOptions, "network"> = {},
  ): Promise<{ readonly server: Server; readonly network: Network }> {
    const { network } = this.world;
    if (typeof network === "string") throw new Error(network);
    this.after(() => network.mend());
    return { server: await this.ownServer({ ...options, network }), network };
  }

  /** A server of this test's own, behind a firewall that lets nothing in but HTTPS. */
  async serverBehindFirewall(
    options: Omit<ServerOptions, "network" | "httpsPort"> = {},
  ): Promise<{ readonly server: Server; readonly network: Network }> {
    const { walledNetwork: network } = this.world;
    if (typeof network === "string") throw new Error(network);
    const server = await this.ownServer({ ...options, network, httpsPort: HTTPS_PORT });
    return { server, network };
  }

  /** A server of this test's own that nobody reaches but by IPv6. */
  async serverBehindIpv6(): Promise<Server> {
    const { ipv6Network: network } = this.world;
    if (typeof network === "string") throw new Error(network);
    return this.ownServer({ network });
  }

  /** Opens a window of its own in a browser. */
  async open(browser: BrowserName, options: OpenOptions = {}): Promise<Tab> {
    if (browser === "chromium") return this.openChromium(options);
    const process = await this.world.firefox();
    return this.adopt(await process.open(this.#tabOptions(browser, options)));
  }

  /** Opens a window of its own in Chromium, for what only Chromium can be asked. */
  async openChromium(options: OpenOptions = {}): Promise<ChromiumTab> {
    const process = await this.world.chromium(options.chromium);
    return this.adopt(await process.open(this.#tabOptions("chromium", options)));
  }

  #tabOptions(browser: BrowserName, options: OpenOptions): TabOptions {
    const { colour, screen, cameraSize = [320, 180], size = [1000, 700] } = options;
    return {
      label: options.label ?? `${browser} ${this.#tabs.length + 1}`,
      probe: {
        camera: colour && {
          colour: COLOURS[colour],
          width: cameraSize[0],
          height: cameraSize[1],
          portrait: options.portrait,
        },
        screen: screen && { colour: COLOURS[screen], width: 1280, height: 720 },
      },
      width: size[0],
      height: size[1],
      locale: options.locale ?? "en-GB",
      colourScheme: options.colourScheme ?? "light",
      initScripts: options.initScripts ?? [],
    };
  }

  /** Takes charge of a page that a test opened itself. */
  adopt<T extends Tab>(tab: T): T {
    this.#tabs.push(tab);
    return tab;
  }

  /** Starts native participants. */
  bot(link: string, options: BotOptions = {}): Bot {
    const { host } = new URL(link);
    const server = this.#servers.find(({ url }) => new URL(url).host === host);
    const bot = new Bot(link, { certificate: server?.certificate, ...options });
    this.#bots.push(bot);
    return bot;
  }

  /** Lets all bots leave. */
  async dismissBots(): Promise<void> {
    await Promise.all(this.#bots.map((bot) => bot.leave()));
  }

  /** Adds a line to the report of this test. */
  note(line: string): void {
    this.notes.push(line);
  }

  /** Runs `cleanUp` when the test is over, whatever its outcome. */
  after(cleanUp: () => Promise<void> | void): void {
    this.#cleanUps.push(cleanUp);
  }

  /** What holds in every test: nothing failed in a page, and no page asked a third party. */
  check(): void {
    for (const tab of this.#tabs) {
      const [failure] = tab.failures;
      if (failure !== undefined) throw new Error(`${tab.label}: ${failure}`);
      const foreign = tab.requests.find((address) => !this.#isOurs(address));
      if (foreign !== undefined) throw new Error(`${tab.label} asked a third party: ${foreign}`);
    }
  }

  #isOurs(address: string): boolean {
    const url = new URL(address);
    if (["about:", "blob:", "data:"].includes(url.protocol)) return true;
    return this.#origins.has(url.host);
  }

  /**
   * Keeps each page's picture and log in `folder`, for whoever looks into a failure, and returns
   * the end of each log.
   */
  async preserve(folder: string): Promise<string[]> {
    mkdirSync(folder, { recursive: true });
    const traces = [`kept in ${relative(ROOT, folder)}`];
    const keep = (name: string, log: string, lines = TRACE_LINES) => {
      writeFileSync(join(folder, `${name}.log`), log);
      const end = log.trimEnd().split("\n").slice(-lines);
      traces.push(`${name}:`, ...end.map((line) => `  ${line.slice(0, TRACE_CHARS)}`));
    };
    for (const [i, tab] of this.#tabs.entries()) {
      const name = `${i + 1}-${tab.label.replaceAll(/[^A-Za-z0-9]+/g, "-")}`;
      writeFileSync(join(folder, `${name}-requests.log`), `${tab.requests.join("\n")}\n`);
      const path = join(folder, `${name}.png`);
      const text = await orNothing(pictureAndText(tab, path));
      const { peers, traffic } = (await orNothing(tab.evaluate(connections))) ?? {};
      writeFileSync(join(folder, `${name}-traffic.log`), `${(traffic ?? []).join("\n")}\n`);
      const end = [`reads: ${text ?? "(no answer)"}`, `peers: ${JSON.stringify(peers)}`];
      keep(name, [...tab.log, "", ...end].join("\n"));
    }
    for (const [i, bot] of this.#bots.entries()) keep(`bot-${i + 1}`, bot.transcript(), 1);
    for (const [i, server] of this.#servers.entries()) {
      keep(`server-${i + 1}`, server.transcript());
    }
    const shared = await orNothing(this.world.runningServer);
    if (shared !== undefined) keep("server", shared.transcript());
    return traces;
  }

  async close(): Promise<void> {
    const parts = [...this.#tabs, ...this.#bots, ...this.#servers];
    const results = await Promise.allSettled(parts.map((part) => part.close()));
    results.push(...(await Promise.allSettled(this.#cleanUps.map(async (cleanUp) => cleanUp()))));
    for (const result of results) {
      if (result.status === "rejected") throw result.reason;
    }
  }
}

async function pictureAndText(tab: Tab, path: string): Promise<string> {
  await tab.screenshot(path);
  return (await visibleText(tab)).replaceAll(/\s+/g, " ");
}

/** Runs in the page: how its connections stand, and what went over its sockets. */
function connections(): { readonly peers: readonly string[]; readonly traffic: string[] } {
  const { peers, traffic } = conclaveProbe;
  return {
    peers: peers.map(
      (peer) => `${peer.signalingState}/${peer.iceConnectionState}/${peer.connectionState}`,
    ),
    traffic: traffic.map(
      ({ atMs, direction, text }) => `${atMs} ms ${direction} ${text.slice(0, 400)}`,
    ),
  };
}

/** What comes of `work`; nothing if it fails or hangs, as a page that is gone does. */
async function orNothing<T>(work: Promise<T> | undefined): Promise<T | undefined> {
  if (work === undefined) return undefined;
  const late = new Promise<undefined>((resolve) => setTimeout(resolve, 10_000, undefined));
  return Promise.race([work.catch(() => undefined), late]);
}
