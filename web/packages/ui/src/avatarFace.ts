/** Tones that carry white letters at 5:1 or better, and sit quietly in both themes. */
const TONES = [
  "#2f6b60",
  "#48638a",
  "#6d5384",
  "#8a4f5d",
  "#8a5a35",
  "#5f6b34",
  "#3b6a80",
  "#6a5d52",
] as const;

/** The colour that goes with a name: the same on every device. */
export function toneOf(name: string): string {
  let hash = 2166136261;
  for (const char of name) {
    hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 16777619) >>> 0;
  }
  return TONES[hash % TONES.length] ?? TONES[0];
}

/** Scripts that are written without spaces: the first character is the family name. */
const IDEOGRAPH = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;

/** One or two letters for a name; empty for an empty name. */
export function initialsOf(name: string): string {
  const words = name
    .normalize("NFC")
    .split(/[\s·.,_()/-]+/u)
    .filter((word) => /[\p{L}\p{N}]/u.test(word));
  const first = words[0];
  if (first === undefined) return "";
  if (IDEOGRAPH.test(first)) return [...first][0] ?? "";
  const last = words.length > 1 ? words.at(-1) : undefined;
  return (letterOf(first) + (last === undefined ? "" : letterOf(last))).toUpperCase();
}

function letterOf(word: string): string {
  return /[\p{L}\p{N}]/u.exec(word)?.[0] ?? "";
}
