import { expect, test } from "vitest";

import { cleanChat } from "./displayText";

test.each([
  ["lines and tabs stay", "a\tb\r\nc\rd\ne\u2028f", "a\tb\nc\nd\ne\nf"],
  ["what an override would turn around reads as written", "exe.\u202egpj\u202c", "exe.gpj"],
  [
    "marks and isolates stay: languages need them",
    "a\u200fb\u2067c\u2069",
    "a\u200fb\u2067c\u2069",
  ],
  [
    "joiners stay: scripts and emoji need them",
    "می\u200cخواهم 👩\u200d🚀",
    "می\u200cخواهم 👩\u200d🚀",
  ],
  ["control characters go", "a\u0000\u0007\u001b[31mb\ufeff", "a[31mb"],
  ["nothing is nothing", " \n\u0007 ", ""],
])("%s", (_name, text, cleaned) => {
  expect(cleanChat(text)).toBe(cleaned);
});
