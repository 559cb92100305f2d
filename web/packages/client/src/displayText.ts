/** The most characters (Unicode scalar values) of a display name. */
export const MAX_NAME_CHARS = 64;

/** The most characters (Unicode scalar values) of a meeting's title. */
export const MAX_TITLE_CHARS = 128;

/**
 * Makes a display name fit to be shown: one line, no control characters, nothing that turns the
 * direction of the text around it, at most {@link MAX_NAME_CHARS}. May be empty. Others' names go
 * through it as well: who seals a name need not use this client.
 */
export function cleanName(name: string): string {
  return clean(name, MAX_NAME_CHARS);
}

/** Makes a title fit to be shown, as {@link cleanName} does, with at most {@link MAX_TITLE_CHARS}. */
export function cleanTitle(title: string): string {
  return clean(title, MAX_TITLE_CHARS);
}

/**
 * Makes a chat message fit to be sent and shown. Lines stay lines; marks and isolates, which some
 * languages need, stay as well, for they reach no further than the paragraph. Control characters
 * go, and so do embeddings and overrides, which make a text read as another.
 */
export function cleanChat(text: string): string {
  return text.replaceAll(LINE_END, "\n").replaceAll(REMOVED_FROM_CHAT, "").trim();
}

const LINE_END = /\r\n?|[\u0085\u2028\u2029]/gu;

/** Control characters but tab and line feed, bidirectional embeddings and overrides (UAX #9). */
const REMOVED_FROM_CHAT = /(?![\t\n])\p{Cc}|[\u202a-\u202e\ufeff]/gu;

/**
 * Control characters, separators of lines and paragraphs, the byte order mark, and the marks,
 * embeddings, overrides and isolates of bidirectional text (UAX #9).
 */
const REMOVED = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu;

function clean(text: string, maxChars: number): string {
  const shown = text.replaceAll(REMOVED, "").trim();
  return Array.from(shown).slice(0, maxChars).join("").trimEnd();
}
