import { expect, test } from "vitest";
import { chooseLanguage } from "./languages";

test.each([
  [["fr-CA", "en"], "fr"],
  [["zh-TW"], "zh-Hant"],
  [["zh-HK", "en"], "zh-Hant"],
  [["in-ID"], "id"],
  [["pt-BR", "de-AT", "en"], "de"],
  [["ja"], "en"],
  [[], "en"],
])("a browser that wants %j gets %s", (wanted, language) => {
  expect(chooseLanguage(wanted)).toBe(language);
});
