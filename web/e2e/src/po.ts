/**
 * The message catalogues of the interface, as far as tests need them.
 * @module
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { ROOT } from "./process.ts";

/** Reads a gettext catalogue of the app: message in English to message in `language`. */
export function catalogue(language: string): ReadonlyMap<string, string> {
  const text = readFileSync(join(ROOT, "web/app/src/i18n/locales", `${language}.po`), "utf8");
  const messages = new Map<string, string>();
  for (const block of text.split(/\n\n+/)) {
    if (/^#~/m.test(block)) continue;
    const [id, translation] = [field(block, "msgid"), field(block, "msgstr")];
    if (id !== undefined && id !== "") messages.set(id, translation ?? "");
  }
  return messages;
}

function field(block: string, name: string): string | undefined {
  const match = new RegExp(`^${name} ("(?:.*)"(?:\\n".*")*)`, "m").exec(block);
  if (match?.[1] === undefined) return undefined;
  return match[1]
    .split("\n")
    .map((line) => JSON.parse(line) as string)
    .join("");
}
