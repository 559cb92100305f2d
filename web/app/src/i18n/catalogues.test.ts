// @vitest-environment node
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { getCatalogs } from "@lingui/cli/api";
import { getConfig } from "@lingui/conf";
import { type CompiledMessage, compileMessageOrThrow } from "@lingui/message-utils/compileMessage";
import { expect, test } from "vitest";
import { LANGUAGES } from "./languages";

const APP = join(import.meta.dirname, "../..");
const LOCALES = join(import.meta.dirname, "locales");

/** Message to translation, as they stand in a catalogue. */
function readCatalogue(language: string): ReadonlyMap<string, string> {
  const text = readFileSync(join(LOCALES, `${language}.po`), "utf8");
  const entries = text.split("\n\n").flatMap((block): [string, string][] => {
    const id = fieldOf(block, "msgid");
    return id === "" || block.includes("#~") ? [] : [[id, fieldOf(block, "msgstr")]];
  });
  return new Map(entries);
}

function fieldOf(block: string, field: string): string {
  const found =
    new RegExp(`^${field} ((?:"(?:[^"\\\\]|\\\\.)*"\\n?)+)`, "m").exec(block)?.[1] ?? "";
  return [...found.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, part]) => part).join("");
}

/** The names of what a message leaves open, with those within the branches of its plurals. */
function placeholders(message: string): readonly string[] {
  return [...new Set(namesIn(compileMessageOrThrow(message)))].toSorted();
}

function namesIn(message: CompiledMessage): string[] {
  return message.flatMap((token) => {
    if (typeof token === "string") return [];
    const [name, , branches] = token;
    return [name, ...(isBranches(branches) ? Object.values(branches).flatMap(namesOfBranch) : [])];
  });
}

/** Numbers stand among the branches too: a plural's offset. */
function namesOfBranch(branch: unknown): string[] {
  return Array.isArray(branch) ? namesIn(branch) : [];
}

function isBranches(format: unknown): format is Record<string, unknown> {
  return typeof format === "object" && format !== null;
}

const languages = LANGUAGES.map(({ id }) => id);

test("each language of the menu has its catalogue, and no other is there", () => {
  const files = readdirSync(LOCALES).filter((name) => name.endsWith(".po"));
  expect(files.toSorted()).toEqual(languages.map((id) => `${id}.po`).toSorted());
});

test("the catalogues hold exactly the messages of the source", async () => {
  const config = getConfig({ cwd: APP });
  const [catalogue] = await getCatalogs(config);
  const collected = await catalogue?.collect();
  const inSource = Object.entries(collected ?? {}).map(([id, { message }]) => message ?? id);
  expect(inSource.length).toBeGreaterThan(100);
  for (const language of languages) {
    expect([...readCatalogue(language).keys()].toSorted(), language).toEqual(inSource.toSorted());
  }
}, 60_000);

test.each(languages)("%s translates every message with the same placeholders", (language) => {
  for (const [id, translation] of readCatalogue(language)) {
    expect(translation.trim(), `"${id}" in ${language}`).not.toBe("");
    expect(placeholders(translation), `"${id}" in ${language}`).toEqual(placeholders(id));
  }
});
