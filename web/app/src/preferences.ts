/**
 * What a person set and this browser remembers: theme, language and name. Nothing of a meeting.
 * @module
 */

import { useSyncExternalStore } from "react";
import { chooseLanguage, type Language, languageOf } from "./i18n/languages";

export type Theme = "system" | "light" | "dark";

export interface Preferences {
  readonly theme: Theme;
  /** Chosen by hand; `undefined` goes by the browser's languages. */
  readonly language: Language | undefined;
  readonly name: string;
  /** Keys do things in a call. Who dictates to a computer wants them off (WCAG 2.1.4). */
  readonly shortcuts: boolean;
}

const KEY = "conclave.preferences";
const DEFAULTS: Preferences = { theme: "system", language: undefined, name: "", shortcuts: true };

let current: Preferences = read();
const listeners = new Set<() => void>();

/** Changes some of them, and remembers. */
export function setPreferences(change: Partial<Preferences>): void {
  current = { ...current, ...change };
  try {
    localStorage.setItem(KEY, JSON.stringify(current));
  } catch {
    // Storage may be full or forbidden: then they last as long as the page.
  }
  applyTheme();
  for (const listener of listeners) listener();
}

/** What they are now. */
export function preferences(): Preferences {
  return current;
}

/** What they are, in a component. */
export function usePreferences(): Preferences {
  return useSyncExternalStore(subscribe, preferences);
}

/** The language to speak: the chosen one, else the browser's. */
export function effectiveLanguage(of: Preferences = current): Language {
  return of.language ?? chooseLanguage(navigator.languages);
}

/** Puts the chosen theme on the document; `system` leaves it to the browser. */
export function applyTheme(): void {
  const root = document.documentElement;
  if (current.theme === "system") delete root.dataset["theme"];
  else root.dataset["theme"] = current.theme;
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function read(): Preferences {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    if (typeof stored !== "object" || stored === null) return DEFAULTS;
    const { theme, language, name, shortcuts } = stored as Record<string, unknown>;
    return {
      theme: theme === "light" || theme === "dark" ? theme : "system",
      language: typeof language === "string" ? languageOf(language) : undefined,
      name: typeof name === "string" ? name.slice(0, 256) : "",
      shortcuts: shortcuts !== false,
    };
  } catch {
    return DEFAULTS;
  }
}
