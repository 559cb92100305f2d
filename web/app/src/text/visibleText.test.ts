import { expect, test } from "vitest";
import { visibleLine, visibleText } from "./visibleText";

test.each([
  ["an override", "pay \u202Eecila\u202C now", "pay \uFFFDecila\uFFFD now"],
  ["isolates", "\u2066a\u2067b\u2068c\u2069", "\uFFFDa\uFFFDb\uFFFDc\uFFFD"],
  ["control characters", "a\u0000b\u001B[31mc\u0085", "a\uFFFDb\uFFFD[31mc\uFFFD"],
  ["half a surrogate pair", "a\uD83Db", "a\uFFFDb"],
  ["unseen characters", "pa\u200Byp\u00ADal\uFEFF", "paypal"],
  ["text hidden in tags", "ok\u{E0068}\u{E0069}", "ok"],
  ["Hangul fillers", "a\u3164\uFFA0b", "ab"],
  ["all sorts of line ends", "a\r\nb\rc\u2028d", "a\nb\nc\nd"],
])("%s", (_name, text, shown) => {
  expect(visibleText(text)).toBe(shown);
});

test("what writing needs stays: joiners, direction marks, tabs, emoji of several parts", () => {
  const text = "می‌خواهم\tشركة\u200F! 👩🏽‍💻 ❤️ e\u0301";
  expect(visibleText(text)).toBe(text);
});

test("a line has no line ends and no wide gaps", () => {
  expect(visibleLine("  Ada  King\n\tLovelace \u202Etsoh ")).toBe("Ada King Lovelace \uFFFDtsoh");
});
