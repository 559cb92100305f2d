import type { PersonId, Tile } from "@conclave/client";
import { expect, test } from "vitest";
import { chooseLayout } from "./layoutWish";

const face = (id: PersonId): Tile => ({
  key: `camera:${id}`,
  participant: id,
  source: "camera",
  publication: Number(id),
});
const screen = (id: PersonId): Tile => ({ ...face(id), key: `screen:${id}`, source: "screen" });

const FACES = [face("1"), face("2")];

test("automatic is a grid until a screen is shared, which is large", () => {
  const wish = { mode: "auto", pin: undefined } as const;
  expect(chooseLayout(wish, FACES).layout).toBe("grid");
  expect(chooseLayout(wish, [screen("1"), ...FACES]).layout).toBe("speaker");
});

test("a grid that was asked for stays a grid with a shared screen", () => {
  const wish = { mode: "grid", pin: undefined } as const;
  expect(chooseLayout(wish, [screen("1"), ...FACES]).layout).toBe("grid");
});

test("a pinned person stays large, their screen before their face", () => {
  const wish = { mode: "grid", pin: "2" } as const;
  expect(chooseLayout(wish, FACES)).toEqual({ layout: "pinned", pinned: "camera:2" });
  expect(chooseLayout(wish, [screen("2"), ...FACES]).pinned).toBe("screen:2");
});

test("a pinned person who left is not waited for", () => {
  expect(chooseLayout({ mode: "auto", pin: "9" }, FACES).layout).toBe("grid");
});
