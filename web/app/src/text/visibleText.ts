/**
 * Text that others wrote, made safe to show: it says what it seems to say, and it keeps to its
 * place on the page.
 *
 * Whoever draws it also isolates its direction (`<bdi>` or `dir="auto"`); here only those
 * characters go that would work from within.
 * @module
 */

/**
 * Embeddings, overrides and isolates (UAX #9): they turn text around so that it reads as another.
 * The marks U+200E, U+200F and U+061C stay: they order punctuation and turn nothing.
 */
const TURNING = "\\u202A-\\u202E\\u2066-\\u2069";

/** Takes no room and is seen by nobody: hides text in text, or makes equal words unequal. */
const UNSEEN =
  "\\u00AD\\u034F\\u115F\\u1160\\u17B4\\u17B5\\u180B-\\u180F\\u200B\\u2060-\\u2064\\u206A-\\u206F" +
  "\\u3164\\uFEFF\\uFFA0\\uFFF9-\\uFFFB\\u{E0000}-\\u{E0FFF}";

const UNSEEN_PATTERN = new RegExp(`[${UNSEEN}]`, "gu");
const CONTROL_PATTERN = new RegExp(`[${TURNING}\\p{Cc}\\p{Cs}\\u2028\\u2029]`, "gu");
const CONTROL_OF_LINES_PATTERN = new RegExp(`(?![\\n\\t])${CONTROL_PATTERN.source}`, "gu");

/** What stands where a control character was. */
const INSTEAD = "\uFFFD";

/** A text of several lines; control characters show as U+FFFD, unseen ones are gone. */
export function visibleText(text: string): string {
  return text
    .replace(/\r\n?|[\u2028\u2029]/g, "\n")
    .replace(UNSEEN_PATTERN, "")
    .replace(CONTROL_OF_LINES_PATTERN, INSTEAD);
}

/** A text of one line, such as a name. */
export function visibleLine(text: string): string {
  return text
    .replace(UNSEEN_PATTERN, "")
    .replace(/\s+/g, " ")
    .replace(CONTROL_PATTERN, INSTEAD)
    .trim();
}
