// @vitest-environment node

import { readFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { constitution, sframeVectors, welcomeAuthenticator } from "../wasm/vectors";
import { loadModules } from "./testing/modules";
import { TestMeeting } from "./testing/TestMeeting";

beforeAll(loadModules);

/** A published file that the crates are tested with. */
function read(file: string): string {
  return readFileSync(new URL(`../../../../crates/core/${file}`, import.meta.url), "utf8");
}

test("headers and frames are those of RFC 9605", () => {
  const vectors = read("frame/vectors/sframe.json");
  expect(sframeVectors(vectors)).toBe(289 + 2);
  const forged = vectors.replaceAll("64726166742d696574662d73", "64726166742d696574662d74");
  expect(() => sframeVectors(forged)).toThrow(/^sealed/);
});

test("a Welcome leads to the epoch of RFC 9420", () => {
  const file = read("mls/vectors/passive-client-welcome.json");
  const vectors: readonly { readonly initial_epoch_authenticator: string }[] = JSON.parse(file);
  expect(vectors.length).toBeGreaterThan(20);
  for (const vector of vectors) {
    const led = welcomeAuthenticator(JSON.stringify(vector));
    expect(led).toBe(vector.initial_epoch_authenticator);
  }
});

test("a constitution has one text", async () => {
  const { constitution: text } = (await TestMeeting.start()).founding;
  expect(constitution(text)).toBe(text);
  expect(constitution(text.replace(":", ": "))).toBeUndefined();
  expect(constitution(text.replace('"version":2,', ""))).toBeUndefined();
  expect(constitution(text.replace('"lobby"', '"lobby","lobby":1'))).toBeUndefined();
});
