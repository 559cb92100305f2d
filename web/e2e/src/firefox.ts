/**
 * Firefox, driven by Puppeteer over WebDriver BiDi: one process, one user context for each tab.
 * @module
 */

import puppeteer, {
  type Browser,
  type BrowserContext,
  type KeyInput,
  type Page,
} from "puppeteer-core";

import { installProbe } from "./probe.ts";
import type { Role, Tab, TabOptions } from "./tab.ts";
import { PATIENCE_MS, until } from "./until.ts";

/** Where the browser is; `CONCLAVE_FIREFOX` names another one. */
const EXECUTABLE = process.env["CONCLAVE_FIREFOX"] ?? "/usr/bin/firefox-esr";

const PREFERENCES = {
  "media.navigator.streams.fake": true,
  "media.navigator.permission.disabled": true,
  "media.peerconnection.ice.obfuscate_host_addresses": false,
  "media.autoplay.default": 0,
  "media.autoplay.blocking_policy": 0,
  "intl.accept_languages": "en-GB, en",
  "dom.min_background_timeout_value": 4,
  "dom.timeout.enable_budget_timer_throttling": false,
  // Nothing of the browser's own goes out while tests run.
  "app.update.enabled": false,
  "browser.safebrowsing.malware.enabled": false,
  "browser.safebrowsing.phishing.enabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
};

/** One Firefox process. */
export class Firefox {
  readonly #browser: Browser;

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  /** Starts it, with these preferences beside those of every test. */
  static async launch(preferences: Readonly<Record<string, unknown>> = {}): Promise<Firefox> {
    const browser = await puppeteer.launch({
      browser: "firefox",
      executablePath: EXECUTABLE,
      headless: true,
      acceptInsecureCerts: true,
      extraPrefsFirefox: { ...PREFERENCES, ...preferences },
      timeout: 120_000,
      protocolTimeout: 120_000,
    });
    return new Firefox(browser);
  }

  /** Opens a window of its own. */
  async open(options: TabOptions): Promise<FirefoxTab> {
    const context = await this.#browser.createBrowserContext();
    return FirefoxTab.in(context, options);
  }

  async close(): Promise<void> {
    await this.#browser.close();
  }
}

/** A page in Firefox. */
export class FirefoxTab implements Tab {
  readonly browser = "firefox";
  readonly label: string;
  readonly log: string[] = [];
  readonly failures: string[] = [];
  readonly requests: string[] = [];
  readonly page: Page;
  readonly #context: BrowserContext;

  private constructor(label: string, page: Page, context: BrowserContext) {
    this.label = label;
    this.page = page;
    this.#context = context;
    page.on("console", (message) => {
      this.log.push(`${message.type()}: ${message.text()}`);
      if (message.text().includes("Content-Security-Policy")) this.failures.push(message.text());
    });
    page.on("pageerror", (error) => {
      const text = error instanceof Error ? error.message : String(error);
      // Firefox reports a socket that was lost the way it reports an exception.
      if (/^(The connection to|Firefox can’t establish a connection)/.test(text)) {
        this.log.push(text);
        return;
      }
      this.log.push(`uncaught: ${text}`);
      this.failures.push(`uncaught: ${text}`);
    });
    page.on("request", (request) => this.requests.push(request.url()));
  }

  static async in(context: BrowserContext, options: TabOptions): Promise<FirefoxTab> {
    const page = await context.newPage({ type: "window" });
    page.setDefaultTimeout(PATIENCE_MS);
    await page.setViewport({ width: options.width, height: options.height });
    await page.evaluateOnNewDocument(installProbe, options.probe);
    for (const script of options.initScripts) await page.evaluateOnNewDocument(script);
    return new FirefoxTab(options.label, page, context);
  }

  async goto(url: string): Promise<void> {
    await this.page.goto(url, { timeout: 60_000 });
  }

  async reload(): Promise<void> {
    await this.page.reload({ timeout: 60_000 });
  }

  evaluate<A, R>(run: (argument: A) => R | Promise<R>, argument?: A): Promise<R> {
    return this.page.evaluate(run as (argument: unknown) => R | Promise<R>, argument) as Promise<R>;
  }

  async inject(source: string): Promise<void> {
    await this.page.evaluate(source);
  }

  async click(role: Role, name: string): Promise<void> {
    // An element may be replaced between the search and the click: search again then.
    await until(`${role} "${name}" in ${this.label} to be clicked`, async () => {
      const element = await this.page.$(accessible(role, name));
      if (element === null) return false;
      // A switch of our own drawing is invisible itself: its label is what one sees and presses.
      const label = role === "switch" ? await element.$("xpath/ancestor::label") : element;
      await (label ?? element).click();
      return true;
    });
  }

  async fill(name: string, text: string): Promise<void> {
    const field = await this.page.waitForSelector(accessible("textbox", name));
    if (field === null) throw new Error(`no field "${name}"`);
    await field.click({ count: 3 });
    await this.page.keyboard.press("Backspace");
    await field.type(text);
  }

  async press(key: string): Promise<void> {
    await this.page.keyboard.press(key as KeyInput);
  }

  async shows(role: Role, name: string): Promise<boolean> {
    const element = await this.page.$(accessible(role, name));
    return (await element?.isVisible()) ?? false;
  }

  async isEnabled(role: Role, name: string): Promise<boolean> {
    const element = await this.page.$(accessible(role, name));
    if (element === null || !(await element.isVisible())) return false;
    return element.evaluate((it) => !it.matches(":disabled, [aria-disabled=true]"));
  }

  async resize(width: number, height: number): Promise<void> {
    await this.page.setViewport({ width, height });
  }

  async screenshot(path: string): Promise<void> {
    await this.page.screenshot({ path: path as `${string}.png` });
  }

  async close(): Promise<void> {
    await this.#context.close();
  }
}

function accessible(role: Role, name: string): string {
  return `::-p-aria([name=${JSON.stringify(name)}][role="${role}"])`;
}
