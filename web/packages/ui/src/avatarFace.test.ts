import { expect, test } from "vitest";
import { initialsOf, toneOf } from "./avatarFace";

test.each([
  ["Amara Okafor", "AO"],
  ["Dr. Jean-Luc von der Heide", "DH"],
  ["林佳穎", "林"],
  ["élodie", "É"],
  ["  ", ""],
  ["🙂", ""],
  ["3rd floor", "3F"],
])("the initials of %j are %j", (name, initials) => {
  expect(initialsOf(name)).toBe(initials);
});

test("a name has the same tone each time, and not all names have the same", () => {
  expect(toneOf("Amara")).toBe(toneOf("Amara"));
  const names = Array.from({ length: 40 }, (_, at) => `Person ${at}`);
  expect(new Set(names.map(toneOf)).size).toBeGreaterThan(4);
});
