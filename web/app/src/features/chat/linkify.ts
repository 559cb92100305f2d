/**
 * Finds the links in a chat message.
 *
 * Only what is written as `https://host…` becomes a link: no bare domain, no other scheme, no
 * share of a file server (`\\host\share`: a click would send this computer's password hash). What
 * is shown of a link's host is what the browser will ask for, not what the sender typed.
 * @module
 */

import { hostToShow } from "./hostToShow";

export type MessagePart =
  | { readonly kind: "text"; readonly text: string }
  | {
      readonly kind: "link";
      /** The address in the form in which the browser resolves it; it begins with `https://`. */
      readonly href: string;
      /** The host, with its port if it is not the usual one. */
      readonly host: string;
      /** Path, query and fragment as typed; they may be empty. */
      readonly rest: string;
    };

/** A longer address is text: nobody can judge it. */
const MOST_LENGTH = 2048;

/**
 * What an address is made of: visible ASCII but quotes, angle brackets, backslashes and the like;
 * and letters, marks and digits of other scripts.
 */
const ADDRESS = /https:\/\/[\p{L}\p{M}\p{N}\-._~:/?#[\]@!$&'()*+,;=%]+/giu;

/** Before a link: anything but a sign that it is the tail of something else. */
const GLUED = /[\p{L}\p{M}\p{N}\-+.:/\\@%&=#_]$/u;

/** Scripts that are written without spaces: a link may follow their letters at once. */
const UNSPACED = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}]$/u;

/** At the end of a sentence, not of an address. */
const TRAILING = /[.,;:!?'*_~]/;

/**
 * The parts of a message in their order; together their texts are the message, except that the
 * host of a link stands as it will be asked for.
 */
export function linkify(message: string): readonly MessagePart[] {
  const parts: MessagePart[] = [];
  let from = 0;
  for (const match of message.matchAll(ADDRESS)) {
    const before = message.slice(Math.max(0, match.index - 2), match.index);
    if (GLUED.test(before) && !UNSPACED.test(before)) continue;
    const address = withoutTail(match[0]);
    const link = linkOf(address);
    if (link === undefined) continue;
    if (match.index > from) {
      parts.push({ kind: "text", text: message.slice(from, match.index) });
    }
    parts.push(link);
    from = match.index + address.length;
  }
  if (from < message.length) parts.push({ kind: "text", text: message.slice(from) });
  return parts;
}

/** Without the punctuation of the sentence around it, and without brackets it did not open. */
function withoutTail(address: string): string {
  let end = address.length;
  let surplus = { ")": surplusOf(address, "(", ")"), "]": surplusOf(address, "[", "]") };
  for (; end > 0; end -= 1) {
    const last = address.charAt(end - 1);
    if ((last === ")" || last === "]") && surplus[last] > 0) {
      surplus = { ...surplus, [last]: surplus[last] - 1 };
    } else if (!TRAILING.test(last)) {
      break;
    }
  }
  return address.slice(0, end);
}

/** By how many the closing brackets outnumber the opening ones. */
function surplusOf(text: string, opening: string, closing: string): number {
  return text.split(closing).length - text.split(opening).length;
}

/** The link that an address is; nothing if it is none, or one that deceives. */
function linkOf(address: string): MessagePart | undefined {
  if (address.length > MOST_LENGTH) return undefined;
  const [, typed = "", rest = ""] = /^https:\/\/([^/?#]*)(.*)$/i.exec(address) ?? [];
  // `https://bank.example@evil.example` goes to the latter.
  if (typed === "" || typed.includes("@")) return undefined;
  const url = parse(address);
  if (url === undefined || url.protocol !== "https:") return undefined;
  if (url.username !== "" || url.password !== "" || url.hostname === "") return undefined;
  const port = url.port === "" ? "" : `:${url.port}`;
  const typedHost = typed.replace(/:\d*$/, "");
  return { kind: "link", href: url.href, host: hostToShow(typedHost, url.hostname) + port, rest };
}

function parse(address: string): URL | undefined {
  return URL.canParse(address) ? new URL(address) : undefined;
}
