/**
 * Chromium, driven by Playwright: one process for each set of flags, one context for each tab.
 * @module
 */

import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

import { installProbe } from "./probe.ts";
import type { Role, Tab, TabOptions } from "./tab.ts";
import { PATIENCE_MS } from "./until.ts";

/** What distinguishes one Chromium process from another. */
export interface ChromiumOptions {
  /** A clip that the fake camera plays; its own pattern if absent. */
  readonly cameraClip?: string;
  /** Refuse each permission that a page asks for, as a person may. */
  readonly denyPermissions?: boolean;
}

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  // TURN over TLS heeds this alone, not what a page is told to ignore.
  "--ignore-certificate-errors",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-features=WebRtcHideLocalIpsWithMdns",
  "--allow-loopback-in-peer-connection",
  "--autoplay-policy=no-user-gesture-required",
  "--disable-background-timer-throttling",
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
];

/** Where the browser is; `CONCLAVE_CHROMIUM` names another one. */
const EXECUTABLE = process.env["CONCLAVE_CHROMIUM"] ?? "/usr/bin/chromium";

/** One Chromium process. */
export class Chromium {
  readonly #browser: Browser;

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  static async launch(options: ChromiumOptions = {}): Promise<Chromium> {
    const { cameraClip, denyPermissions = false } = options;
    const browser = await chromium.launch({
      executablePath: EXECUTABLE,
      headless: true,
      args: [
        ...FLAGS,
        denyPermissions ? "--deny-permission-prompts" : "--use-fake-ui-for-media-stream",
        // The second one films depth, which no encoder takes: there is a third.
        "--use-fake-device-for-media-stream=device-count=3,fps=15",
        ...(cameraClip === undefined ? [] : [`--use-file-for-fake-video-capture=${cameraClip}`]),
      ],
    });
    return new Chromium(browser);
  }

  /** Opens a window of its own. */
  async open(options: TabOptions): Promise<ChromiumTab> {
    const context = await this.#browser.newContext({
      ignoreHTTPSErrors: true,
      locale: options.locale,
      colorScheme: options.colourScheme,
      viewport: { width: options.width, height: options.height },
    });
    return ChromiumTab.in(context, options);
  }

  async close(): Promise<void> {
    await this.#browser.close();
  }
}

/** A page in Chromium. */
export class ChromiumTab implements Tab {
  readonly browser = "chromium";
  readonly label: string;
  readonly log: string[] = [];
  readonly failures: string[] = [];
  readonly requests: string[] = [];
  /** For what only Chromium can be asked. */
  readonly page: Page;

  readonly #options: TabOptions;

  private constructor(options: TabOptions, page: Page) {
    this.#options = options;
    this.label = options.label;
    this.page = page;
    page.on("console", (message) => {
      this.log.push(`${message.type()}: ${message.text()}`);
      if (message.text().includes("Content Security Policy")) this.failures.push(message.text());
    });
    page.on("pageerror", (error) => {
      this.log.push(`uncaught: ${error.stack ?? error.message}`);
      this.failures.push(`uncaught: ${error.message}`);
    });
    page.on("request", (request) => this.requests.push(request.url()));
    page.on("websocket", (socket) => this.requests.push(socket.url()));
  }

  /** Opens a page in `context`: a second tab of the same person, if there is one already. */
  static async in(context: BrowserContext, options: TabOptions): Promise<ChromiumTab> {
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    await page.addInitScript(installProbe, options.probe);
    for (const script of options.initScripts) await page.addInitScript(script);
    return new ChromiumTab(options, page);
  }

  /** Another tab of the same window: the same person's. */
  openSecond(): Promise<ChromiumTab> {
    const label = `${this.label}, second tab`;
    return ChromiumTab.in(this.page.context(), { ...this.#options, label });
  }

  async goto(url: string): Promise<void> {
    // Chromium drops what is under way when any interface of the machine comes or goes.
    await this.page.goto(url).catch(async (error: unknown) => {
      if (!String(error).includes("ERR_NETWORK_CHANGED")) throw error;
      await this.page.goto(url);
    });
  }

  async reload(): Promise<void> {
    await this.page.reload();
  }

  // The signature of the interface is checked by `implements`; Playwright's own is wider.
  evaluate<A, R>(run: (argument: A) => R | Promise<R>, argument?: A): Promise<R> {
    return this.page.evaluate(run as (argument: unknown) => R | Promise<R>, argument);
  }

  async inject(source: string): Promise<void> {
    await this.page.evaluate(source);
  }

  async click(role: Role, name: string): Promise<void> {
    const found = this.page.getByRole(role, { name, exact: true }).first();
    // A switch of our own drawing is invisible itself: its label is what one sees and presses.
    const seen = role === "switch" ? this.page.locator("label").filter({ has: found }) : found;
    await seen.click();
  }

  async fill(name: string, text: string): Promise<void> {
    await this.page.getByRole("textbox", { name, exact: true }).first().fill(text);
  }

  async press(key: string): Promise<void> {
    await this.page.keyboard.press(key);
  }

  async shows(role: Role, name: string): Promise<boolean> {
    return this.page.getByRole(role, { name, exact: true }).first().isVisible();
  }

  async isEnabled(role: Role, name: string): Promise<boolean> {
    const found = this.page.getByRole(role, { name, exact: true }).first();
    // It may go between the two questions.
    return (await found.isVisible()) && found.isEnabled({ timeout: 500 }).catch(() => false);
  }

  async resize(width: number, height: number): Promise<void> {
    await this.page.setViewportSize({ width, height });
  }

  async screenshot(path: string): Promise<void> {
    await this.page.screenshot({ path });
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }
}
