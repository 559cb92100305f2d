/**
 * One page of one browser, the same way for Chromium and Firefox.
 * @module
 */

import type { FrameCounts } from "@conclave/e2ee";

import type { MediaStats, ProbeOptions } from "./probe.ts";
import { type Patience, until } from "./until.ts";

/** The browsers that tests drive. */
export type BrowserName = "chromium" | "firefox";

/** How a page is opened. */
export interface TabOptions {
  /** For reports: whose page it is. */
  readonly label: string;
  /** What its camera and its screen show; the browser's fake devices where absent. */
  readonly probe: ProbeOptions;
  readonly width: number;
  readonly height: number;
  /** `Accept-Language`. */
  readonly locale: string;
  readonly colourScheme: "light" | "dark";
  /** Runs before the page's own scripts. */
  readonly initScripts: readonly (() => void)[];
}

/** The roles by which tests find what they use. */
export type Role =
  | "alert"
  | "button"
  | "dialog"
  | "heading"
  | "link"
  | "listbox"
  | "menu"
  | "menuitem"
  | "menuitemradio"
  | "option"
  | "radio"
  | "region"
  | "switch"
  | "tab"
  | "textbox";

/** One page in a window of its own: storage and permissions are not shared with others. */
export interface Tab {
  readonly browser: BrowserName;
  readonly label: string;
  /** What the page wrote to its console, and what failed in it, one entry a line. */
  readonly log: readonly string[];
  /** Uncaught exceptions and what the content security policy refused. */
  readonly failures: readonly string[];
  /** Every address that the page asked for, sockets included. */
  readonly requests: readonly string[];

  goto(url: string): Promise<void>;
  reload(): Promise<void>;
  evaluate<A, R>(run: (argument: A) => R | Promise<R>, argument: A): Promise<R>;
  evaluate<R>(run: () => R | Promise<R>): Promise<R>;
  /** Runs a script in the page, whatever its content security policy says. */
  inject(source: string): Promise<void>;
  /** Clicks what has this role and exactly this accessible name, once it is there. */
  click(role: Role, name: string): Promise<void>;
  /** Replaces the text of the field that has exactly this accessible name. */
  fill(name: string, text: string): Promise<void>;
  /** Presses a key, in the words of `KeyboardEvent.key`. */
  press(key: string): Promise<void>;
  /** Whether something with this role and exactly this accessible name is visible. */
  shows(role: Role, name: string): Promise<boolean>;
  /** Whether something with this role and exactly this accessible name can be pressed. */
  isEnabled(role: Role, name: string): Promise<boolean>;
  resize(width: number, height: number): Promise<void>;
  screenshot(path: string): Promise<void>;
  close(): Promise<void>;
}

/** Waits until something with this role and accessible name is visible. */
export function appears(tab: Tab, role: Role, name: string, patience?: Patience): Promise<true> {
  return until(
    `${role} "${name}" in ${tab.label}`,
    () => tab.shows(role, name),
    patience,
  ) as Promise<true>;
}

/** Waits until nothing with this role and accessible name is visible. */
export async function disappears(
  tab: Tab,
  role: Role,
  name: string,
  patience?: Patience,
): Promise<void> {
  await until(
    `${role} "${name}" to go from ${tab.label}`,
    async () => !(await tab.shows(role, name)),
    patience,
  );
}

/** The visible text of the page. */
export function visibleText(tab: Tab): Promise<string> {
  // biome-ignore lint/performance/useDomNodeTextContent: hidden text does not count
  return tab.evaluate(() => document.body.innerText);
}

/** The page's media counters. */
export function stats(tab: Tab): Promise<MediaStats> {
  return tab.evaluate(() => conclaveProbe.stats());
}

/** How often the page called `setRemoteDescription`. */
export function negotiations(tab: Tab): Promise<number> {
  return tab.evaluate(() => conclaveProbe.remoteDescriptions);
}

/** How the frames of the page's key worker fared. */
export function frameCounts(tab: Tab): Promise<FrameCounts> {
  return tab.evaluate(() => conclaveProbe.frameCounts());
}
