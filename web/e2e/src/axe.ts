/**
 * Accessibility checks with axe-core.
 * @module
 */

import type { AxeResults } from "axe-core";
import engine from "axe-core";

import type { Tab } from "./tab.ts";
import { until } from "./until.ts";

const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/** What the engine's script leaves in the page. */
interface Engine {
  run(context: Document, options: object): Promise<AxeResults>;
}

/** Every violation in the page, one line for each element. */
export async function violations(tab: Tab): Promise<string[]> {
  await announcementsEnd(tab);
  await tab.inject(engine.source);
  const results = await tab.evaluate(
    (tags) =>
      (globalThis as unknown as { axe: Engine }).axe.run(document, {
        runOnly: { type: "tag", values: tags },
        resultTypes: ["violations"],
      }),
    TAGS,
  );
  return results.violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ html, failureSummary }) => {
      const why = (failureSummary ?? "").split("\n").slice(1).join(" ").trim();
      return `${id}: ${help}: ${html.slice(0, 160)} ${why}`;
    }),
  );
}

/**
 * What React Aria said of a button that is gone names it still, and is taken away after seven
 * seconds.
 */
async function announcementsEnd(tab: Tab): Promise<void> {
  await until("what was announced to end", () =>
    tab.evaluate(() => document.querySelector("[data-live-announcer] [role=img]") === null),
  );
}
