/** A language of the interface. */
export type Language = "en" | "zh-Hant" | "de" | "fr" | "id";

export interface LanguageInfo {
  readonly id: Language;
  /** In itself: who looks for a language can read it. */
  readonly name: string;
  /** What React Aria and `Intl` go by. React Aria has no Indonesian of its own: `@conclave/ui` adds it. */
  readonly locale: string;
}

export const LANGUAGES: readonly LanguageInfo[] = [
  { id: "en", name: "English", locale: "en-GB" },
  { id: "zh-Hant", name: "繁體中文", locale: "zh-TW" },
  { id: "de", name: "Deutsch", locale: "de-DE" },
  { id: "fr", name: "Français", locale: "fr-FR" },
  { id: "id", name: "Bahasa Indonesia", locale: "id-ID" },
];

/** The first of the wanted languages (BCP 47) that the interface speaks; else English. */
export function chooseLanguage(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const found = languageOf(tag);
    if (found !== undefined) return found;
  }
  return "en";
}

/** The interface's language for a BCP 47 tag, if it has one. */
export function languageOf(tag: string): Language | undefined {
  const primary = tag.toLowerCase().split("-")[0];
  // `in` is what old systems call Indonesian. Simplified readers are better off with Traditional
  // characters than with English.
  if (primary === "in") return "id";
  if (primary === "zh") return "zh-Hant";
  return LANGUAGES.find((language) => language.id === primary)?.id;
}

/** What is known of a language. */
export function languageInfo(id: Language): LanguageInfo {
  return LANGUAGES.find((language) => language.id === id) ?? { id, name: id, locale: id };
}
