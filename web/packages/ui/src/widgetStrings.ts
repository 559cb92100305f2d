/// <reference path="./reactAriaWords.d.ts" />
/**
 * The few words that React Aria's widgets say by themselves, in the interface's languages.
 *
 * React Aria has no Indonesian. It takes its words from a table on `globalThis` if there is one
 * (it is meant for pages that a server renders), and that table may hold functions: ours look the
 * word up in the language of the moment.
 * @module
 */

import german from "react-aria-components/i18n/de-DE";
import english from "react-aria-components/i18n/en-US";
import french from "react-aria-components/i18n/fr-FR";
import chinese from "react-aria-components/i18n/zh-TW";

/** Of the widgets in this package. Others of React Aria's would speak English. */
const INDONESIAN: ReactAriaWords = {
  "@react-aria/menu": {
    longPressMessage: "Tekan lama atau tekan Alt + ArrowDown untuk membuka menu",
  },
  "@react-aria/overlays": { dismiss: "Tutup" },
  "react-aria-components": { selectPlaceholder: "Pilih salah satu" },
};

const WORDS: Readonly<Record<string, ReactAriaWords>> = {
  de: german,
  en: english,
  fr: french,
  id: INDONESIAN,
  zh: chinese,
};

/** The word of a widget in a language; in English where the language has none. */
export function widgetWord(locale: string, widget: string, key: string): ReactAriaWord {
  const language = locale.split("-")[0] ?? "en";
  return WORDS[language]?.[widget]?.[key] ?? english[widget]?.[key] ?? key;
}

/** Gives React Aria its words. Before the first widget is drawn: it looks for them once. */
export function provideWidgetWords(scope: object = globalThis): void {
  const words = Object.entries(english).map(([widget, entries]) => [
    widget,
    Object.fromEntries(Object.keys(entries).map((key) => [key, lookUp(widget, key)])),
  ]);
  Object.assign(scope, {
    [Symbol.for("react-aria.i18n.locale")]: "en-US",
    [Symbol.for("react-aria.i18n.strings")]: Object.fromEntries(words),
  });
}

function lookUp(widget: string, key: string): ReactAriaWord {
  return (values, formatter) => {
    // React Aria's formatter knows its language, but its type does not say so.
    const { locale = "en" } = formatter as { readonly locale?: string };
    const word = widgetWord(locale, widget, key);
    return typeof word === "function" ? word(values, formatter) : word;
  };
}
