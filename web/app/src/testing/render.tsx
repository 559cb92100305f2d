/**
 * Draws components for tests, in English, with the engine and the languages around them.
 * @module
 */

import { Announcer, LocaleProvider } from "@conclave/ui";
import { i18n } from "@lingui/core";
import { I18nProvider } from "@lingui/react";
import { act, type ReactNode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { type Engine, EngineContext } from "../engine";
import { messages } from "../i18n/locales/en.po";

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });

const IDLE_ENGINE: Engine = {
  missingFeatures: () => [],
  createMeeting: () => new Promise(() => undefined),
  fetchMeeting: () => new Promise(() => undefined),
  openCall: () => {
    throw new Error("no call in this test");
  },
};

i18n.loadAndActivate({ locale: "en", messages });

/** What the last `render` drew. */
let drawn: Root | undefined;

/** Draws `children` in a fresh document body. */
export async function render(children: ReactNode, engine: Engine = IDLE_ENGINE): Promise<void> {
  await act(async () => drawn?.unmount());
  const container = document.createElement("div");
  document.body.replaceChildren(container);
  const root = createRoot(container);
  drawn = root;
  await act(async () =>
    root.render(
      <I18nProvider i18n={i18n}>
        <LocaleProvider locale="en-GB">
          <EngineContext value={engine}>
            <Announcer>{children}</Announcer>
          </EngineContext>
        </LocaleProvider>
      </I18nProvider>,
    ),
  );
}

/** Finds the one element whose role and name are these. */
export function byRole(role: string, name: string | RegExp): HTMLElement {
  const found = allByRole(role).filter((element) => {
    const own = nameOf(element);
    return typeof name === "string" ? own === name : name.test(own);
  });
  const [element] = found;
  if (element === undefined || found.length > 1) {
    const names = allByRole(role).map(nameOf).join(" | ");
    throw new Error(`${found.length} of role ${role} named ${String(name)}; there are: ${names}`);
  }
  return element;
}

/** Types a text into a field, as React sees it. */
export async function type(field: HTMLElement, text: string): Promise<void> {
  const setter = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value")?.set;
  await act(async () => {
    setter?.call(field, text);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
}

/** Presses a button or takes an item of a menu. */
export async function press(element: HTMLElement): Promise<void> {
  await act(async () => element.click());
}

/** Sends the form in which a field is. */
export async function submit(field: HTMLElement): Promise<void> {
  await act(async () => {
    field
      .closest("form")
      ?.dispatchEvent(new SubmitEvent("submit", { bubbles: true, cancelable: true }));
  });
}

const SELECTORS: Readonly<Record<string, string>> = {
  button: "button",
  textbox: 'input[type="text"], input[type="url"], input:not([type])',
  heading: "h1, h2, h3",
  article: "article",
};

/** Finds every element of a role. */
export function allByRole(role: string): HTMLElement[] {
  const selector = [SELECTORS[role], `[role="${role}"]`].filter(Boolean).join(", ");
  return [...document.querySelectorAll<HTMLElement>(selector)];
}

function nameOf(element: HTMLElement): string {
  const label = element.getAttribute("aria-label");
  if (label !== null) return label;
  const labelled = element.getAttribute("aria-labelledby");
  const text =
    labelled === null
      ? element.textContent
      : labelled
          .split(" ")
          .map((id) => document.getElementById(id)?.textContent ?? "")
          .join(" ");
  return (text ?? "").trim();
}
