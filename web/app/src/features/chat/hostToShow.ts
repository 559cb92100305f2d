/**
 * How a link's host is shown: in its own script where it cannot be taken for another host, else in
 * Punycode (RFC 3492), which looks like nothing else.
 *
 * Browsers decide by lists of well-known hosts, too; here a name that is not in doubt loses its
 * script rather than one in doubt keeping it.
 * @module
 */

/** Latin letters of German and French; others with marks too easily pass for their bare letter. */
const LATIN = /^[a-z0-9\-äöüßàâæçéèêëîïôœùûÿ]+$/;

/** The Russian alphabet; a label must also have a letter that no Latin one looks like. */
const CYRILLIC = /^[0-9\-а-яё]+$/;
const CYRILLIC_OWN = /[бвгджзийлнптфцчшщъыьэюя]/;

/** Chinese, Japanese and Korean. */
const EAST_ASIAN =
  /^[0-9\-\p{sc=Han}\p{sc=Bopomofo}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}ー]+$/u;
/** Look like a slash, a dot or a hyphen. */
const EAST_ASIAN_SIGNS = /[ノソゾン丿丶乀〳〵]|^[-一ー〇]+$/u;

/**
 * The host as a person shall read it.
 *
 * @param typed as the message has it
 * @param ascii as the URL parser has it: what the browser asks for
 */
export function hostToShow(typed: string, ascii: string): string {
  const host = typed.toLowerCase().normalize("NFC");
  if (!ascii.split(".").some((label) => label.startsWith("xn--"))) return ascii;
  // Typed in Punycode, or in signs that the parser maps to others.
  if (asAscii(host) !== ascii || /xn--/.test(host)) return ascii;
  const scripts = new Set(host.split(".").map(scriptOf));
  if (scripts.has("unclear")) return ascii;
  scripts.delete("ascii");
  return scripts.size === 1 ? host : ascii;
}

function asAscii(host: string): string | undefined {
  const address = `https://${host}`;
  return URL.canParse(address) ? new URL(address).hostname : undefined;
}

function scriptOf(label: string): "ascii" | "latin" | "cyrillic" | "eastAsian" | "unclear" {
  if (/^[a-z0-9-]+$/.test(label)) return "ascii";
  if (LATIN.test(label)) return "latin";
  if (CYRILLIC.test(label)) return CYRILLIC_OWN.test(label) ? "cyrillic" : "unclear";
  if (EAST_ASIAN.test(label) && !EAST_ASIAN_SIGNS.test(label)) return "eastAsian";
  return "unclear";
}
