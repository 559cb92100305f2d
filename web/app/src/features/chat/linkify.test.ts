import { expect, test } from "vitest";
import { visibleText } from "../../text/visibleText";
import { linkify, type MessagePart } from "./linkify";

/** The links of a message, as shown and as followed. */
function linksOf(message: string): readonly (readonly [shown: string, href: string])[] {
  return linkify(message).flatMap((part) =>
    part.kind === "link" ? [[`https://${part.host}${part.rest}`, part.href] as const] : [],
  );
}

const hostsOf = (message: string): readonly string[] =>
  linkify(message).flatMap((part) => (part.kind === "link" ? [part.host] : []));

test.each([
  ["see https://example.org/a?b=c#d.", "https://example.org/a?b=c#d"],
  ["(https://example.org/a_(b))", "https://example.org/a_(b)"],
  ["((https://example.org/a).)", "https://example.org/a"],
  ["[https://example.org/]", "https://example.org/"],
  ["“https://example.org/a”, she said", "https://example.org/a"],
  ["<https://example.org/a>", "https://example.org/a"],
  ["請看https://example.org/a。", "https://example.org/a"],
  ["https://example.org/a\nhttps!", "https://example.org/a"],
  ["HTTPS://example.org/a", "https://example.org/a"],
  ["https://example.org:8443/m/x", "https://example.org:8443/m/x"],
  ["https://[2001:db8::1]/a", "https://[2001:db8::1]/a"],
])("%j has the link %s", (message, link) => {
  expect(linksOf(message)).toEqual([[link, link]]);
});

test("a message keeps its text around its links", () => {
  const parts = linkify("a https://b.example/c, d https://e.example f");
  expect(parts.map((part) => (part.kind === "text" ? part.text : part.host))).toEqual([
    "a ",
    "b.example",
    ", d ",
    "e.example",
    " f",
  ]);
});

test.each([
  "\\\\host\\share\\setup.exe",
  "//host/share",
  "file://host/share",
  "file:///C:/Windows/System32/calc.exe",
  "smb://host/share",
  "javascript:alert(1)",
  "JaVaScRiPt://example.org/%0aalert(1)",
  "javascript:https://example.org/",
  "data:text/html,<script>alert(1)</script>",
  "data:https://example.org",
  "vbscript:msgbox(1)",
  "blob:https://example.org/0",
  "view-source:https://example.org",
  "http://example.org",
  "ftp://example.org",
  "ms-word:ofe|u|//example.org/a",
  "example.org",
  "www.example.org",
  "mailto:ada@example.org",
  "https:example.org",
  "https:/example.org",
  "https:///example.org",
  "https:\\\\host\\share",
  "https://\\\\host\\share",
  "https://",
  "https://?a",
  "https://bank.example@evil.example/",
  "https://bank.example:443@evil.example/",
  "https://bank.example%2Flogin@evil.example",
  "https://bank.example%40evil.example",
  "https://bank.example%00.evil.example",
  "https://exa%6Dple.org:99999/",
  `https://example.org/${"a".repeat(2048)}`,
])("%j is no link", (message) => {
  expect(linksOf(message)).toEqual([]);
  expect(linkify(message)).toEqual([{ kind: "text", text: message }]);
});

test.each([
  ["what follows a backslash", "https://good.example\\@evil.example", "good.example"],
  ["what follows an override", "https://good.example\u202Egro.live", "good.example"],
  ["what follows an unseen space", "https://good.example\u200B.evil.example", "good.example"],
])("%s is no part of a link", (_name, message, host) => {
  expect(linksOf(message)).toEqual([[`https://${host}`, `https://${host}/`]]);
});

test.each([
  // Cyrillic that looks Latin: beside Latin, as a whole name, and beside Latin letters.
  ["https://аррӏе.com", "xn--80ak6aa92e.com"],
  ["https://раура.рф", "xn--80aa0cbo.xn--p1ai"],
  ["https://pаypal.com", "xn--pypal-4ve.com"],
  // Cyrillic within Latin, a Latin letter of another language, a dotless i, a dot below.
  ["https://gооgle.com", "xn--ggle-55da.com"],
  ["https://ɡoogle.com", "xn--oogle-qmc.com"],
  ["https://lınkedin.com", "xn--lnkedin-rfb.com"],
  ["https://paypạl.com", "xn--paypl-m11b.com"],
  // A Katakana letter that looks like a slash.
  ["https://example.comノlogin.evil.tw", "example.xn--comlogin-634g.evil.tw"],
  ["https://example.com.ノ.evil.tw", "example.com.xn--ldk.evil.tw"],
  // Scripts side by side; right-to-left ones turn the address around.
  ["https://中文.яндекс", "xn--fiq228c.xn--d1acpjx3f"],
  ["https://ישראל.example", "xn--4dbrk0ce.example"],
  // Mapped, not kept.
  ["https://ｇｏｏｇｌｅ.com", "google.com"],
  // Written so as to be misread.
  ["https://0x7f.1/", "127.0.0.1"],
  ["https://2130706433/", "127.0.0.1"],
  ["https://ex%61mple.org/", "example.org"],
  ["https://EXAMPLE.org/", "example.org"],
  ["https://xn--bcher-kva.example/", "xn--bcher-kva.example"],
])("the host of %s shows as %s", (message, host) => {
  expect(hostsOf(message)).toEqual([host]);
});

test.each([
  "bücher.example",
  "www.münchen.de",
  "中文.tw",
  "例え.テスト",
  "яндекс.рф",
  "почта.example",
])("the host %s keeps its script", (host) => {
  expect(hostsOf(`https://${host}/`)).toEqual([host]);
});

/** A small generator of the same numbers each time (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const PIECES = [
  "https://",
  "HTTPS://",
  "http://",
  "https:",
  "file://",
  "javascript:",
  "data:",
  "\\\\",
  "\\",
  "//",
  "/",
  ":",
  "@",
  "#",
  "?",
  "%",
  "%2f",
  "%00",
  "%40",
  ".",
  "..",
  ",",
  "(",
  ")",
  "[",
  "]",
  "<",
  ">",
  '"',
  "'",
  "`",
  "{",
  "}",
  "|",
  "^",
  " ",
  "\n",
  "\t",
  "\r",
  "\u0000",
  "\u007F",
  "\u00A0",
  "\u00AD",
  "\u200B",
  "\u200D",
  "\u200F",
  "\u202A",
  "\u202E",
  "\u2066",
  "\u2069",
  "\u2028",
  "\u3000",
  "\uFEFF",
  "\u{E0041}",
  "\uD800",
  "\u0301",
  "а",
  "ӏ",
  "ο",
  "ı",
  "中",
  "ノ",
  "。",
  "ｅ",
  "א",
  "א.com",
  "evil",
  "bank",
  "example",
  ".org",
  ".com",
  "xn--",
  "xn--80ak6aa92e",
  "0x7f",
  "127.0.0.1",
  "[::1]",
  "443",
  ":443",
  "user:pw@",
] as const;

test("whatever is put together, a link goes to the https host that it shows", () => {
  const next = numbers(1);
  let links = 0;
  for (let round = 0; round < 20_000; round += 1) {
    const length = 1 + Math.floor(next() * 9);
    const raw = Array.from({ length }, () => PIECES[Math.floor(next() * PIECES.length)]).join("");
    const message = visibleText(next() < 0.5 ? `https://${raw}` : raw);
    const parts = linkify(message);
    const texts = parts.map((part) => (part.kind === "text" ? part.text : part.rest));
    expect(isInOrderWithin(message, texts), JSON.stringify(raw)).toBe(true);
    for (const part of parts) {
      if (part.kind === "text") continue;
      links += 1;
      assertHonest(part, message);
    }
  }
  // Else this test would say nothing.
  expect(links).toBeGreaterThan(1000);
}, 60_000);

/** Whether the pieces stand in a message one after the other. */
function isInOrderWithin(message: string, pieces: readonly string[]): boolean {
  let from = 0;
  for (const piece of pieces) {
    const at = message.indexOf(piece, from);
    if (at < 0) return false;
    from = at + piece.length;
  }
  return true;
}

function assertHonest(part: Extract<MessagePart, { kind: "link" }>, message: string): void {
  const why = JSON.stringify({ message, part });
  const followed = new URL(part.href);
  expect(followed.protocol, why).toBe("https:");
  expect(followed.username + followed.password, why).toBe("");
  expect(part.href, why).toMatch(/^https:\/\/[\x21-\x7E]+$/);
  // Read off the page and typed again, it leads to the same place.
  const shown = new URL(`https://${part.host}${part.rest}`);
  expect(shown.href, why).toBe(part.href);
  expect(part.host, why).not.toMatch(/[\p{Cc}\p{Cf}\p{Z}/\\@?#%]/u);
  expect(part.rest, why).not.toMatch(/[\p{Cc}\p{Cf}\p{Z}\\<>"`]/u);
  expect(part.rest, why).toMatch(/^([/?#]|$)/);
}

test("a message of the most bytes takes no time, however it is made", () => {
  const began = performance.now();
  for (const piece of ["https://", "https://a)", "(", ")", "a.", "https://a.b/(", "@https://"]) {
    linkify(piece.repeat(4096 / piece.length));
    linkify(`https://a/${piece.repeat(4086 / piece.length)}`);
  }
  // On a busy machine, too.
  expect(performance.now() - began).toBeLessThan(5000);
}, 60_000);
