import { i18n, type Messages } from "@lingui/core";
import type { Language } from "./languages";

const LOADERS: Readonly<Record<Language, () => Promise<{ readonly messages: Messages }>>> = {
  en: () => import("./locales/en.po"),
  "zh-Hant": () => import("./locales/zh-Hant.po"),
  de: () => import("./locales/de.po"),
  fr: () => import("./locales/fr.po"),
  id: () => import("./locales/id.po"),
};

/** Loads a language and switches the interface and the document to it. */
export async function activate(language: Language): Promise<void> {
  const { messages } = await LOADERS[language]();
  i18n.loadAndActivate({ locale: language, messages });
  document.documentElement.lang = language;
}
