import { catalogue } from "../src/po.ts";
import { test } from "../src/runner.ts";
import type { Tab } from "../src/tab.ts";
import { walkViews } from "../src/views.ts";

/** The interface's languages other than English, with the locale that asks for each. */
const LANGUAGES = { "zh-Hant": "zh-TW", de: "de-DE", fr: "fr-FR", id: "id-ID" };

/** What reads the same in every language. */
const SAME_EVERYWHERE = new Set(["Conclave"]);

/** All that a person can read or hear of a page: text, labels, placeholders, titles. */
function readable(tab: Tab): Promise<string[]> {
  return tab.evaluate(() => {
    const found = new Set<string>();
    const add = (text: string | null | undefined) => {
      const trimmed = text?.replaceAll(/\s+/g, " ").trim() ?? "";
      if (trimmed !== "") found.add(trimmed);
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      if (node.parentElement?.closest("script, style, [lang]:not(html), [translate=no]") == null) {
        add(node.textContent);
      }
    }
    for (const element of document.querySelectorAll("*")) {
      if (element.closest("[translate=no]") !== null) continue;
      for (const name of ["aria-label", "aria-description", "placeholder", "title", "alt"]) {
        add(element.getAttribute(name));
      }
    }
    add(document.title);
    return [...found];
  });
}

for (const [language, locale] of Object.entries(LANGUAGES)) {
  test(
    `every view speaks ${language}, and no word of English is left`,
    async (stage) => {
      const messages = catalogue(language);
      const untranslated = [...messages].filter(([, translation]) => translation === "");
      if (untranslated.length > 0) {
        throw new Error(`not translated: ${untranslated.map(([id]) => id).join(" | ")}`);
      }
      // A message that has placeholders is known by its longest plain part.
      const english = [...messages]
        .filter(([id, translation]) => id !== translation && !SAME_EVERYWHERE.has(id))
        .filter(([id]) => !id.includes(", plural,") && !id.includes(", select,"))
        .map(([id]) => longestPlainPart(id))
        .filter((part) => part.length >= 4);
      const translations = new Set(
        [...messages.values()].flatMap((text) => text.split(/<\/?\d+\/?>|\{[^}]*\}/)),
      );

      const left: string[] = [];
      await walkViews(stage, { locale, language }, async (view, tab) => {
        const spoken = await tab.evaluate(() => document.documentElement.lang);
        if (!spoken.startsWith(language.split("-")[0] ?? language)) {
          left.push(`${view}: lang="${spoken}"`);
        }
        for (const text of await readable(tab)) {
          if (translations.has(text)) continue;
          const message = english.find(
            (part) => text === part || (part.length > 12 && text.includes(part)),
          );
          if (message !== undefined) left.push(`${view}: "${text}"`);
        }
      });
      if (left.length > 0) throw new Error(`left in English:\n${[...new Set(left)].join("\n")}`);
    },
    { timeoutMs: 600_000 },
  );
}

function longestPlainPart(message: string): string {
  const parts = message.split(/<\/?\d+\/?>|\{[^}]*\}/).map((part) => part.trim());
  return parts.reduce((longest, part) => (part.length > longest.length ? part : longest), "");
}
