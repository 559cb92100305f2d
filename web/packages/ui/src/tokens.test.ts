// @vitest-environment node
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { toneOf } from "./avatarFace";

const CSS = readFileSync(join(import.meta.dirname, "tokens.css"), "utf8");

/** The colour of a token in a theme. */
function token(name: string, theme: "light" | "dark"): string {
  const value = new RegExp(`--${name}:\\s*([^;]+);`).exec(CSS)?.[1] ?? "";
  const pair = /light-dark\((#[\da-f]{6}),\s*(#[\da-f]{6})\)/.exec(value);
  const colour = pair === null ? value : pair[theme === "light" ? 1 : 2];
  if (colour === undefined || !/^#[\da-f]{6}$/.test(colour)) throw new Error(`--${name}: ${value}`);
  return colour;
}

/** Contrast of two colours (WCAG 2.2, "contrast ratio"). */
function contrast(a: string, b: string): number {
  const [hi, lo] = [luminance(a), luminance(b)].toSorted((x, y) => y - x) as [number, number];
  return (hi + 0.05) / (lo + 0.05);
}

function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

const TEXT_PAIRS = [
  ["ink", "ground"],
  ["ink", "stage"],
  ["ink", "surface"],
  ["ink", "surface-quiet"],
  ["ink", "surface-hover"],
  ["ink", "surface-press"],
  ["ink-quiet", "ground"],
  ["ink-quiet", "stage"],
  ["ink-quiet", "surface"],
  ["ink-quiet", "surface-quiet"],
  ["accent", "ground"],
  ["accent", "surface"],
  ["accent", "surface-lift"],
  ["on-accent", "accent"],
  ["on-accent", "accent-hover"],
  ["on-accent", "accent-press"],
  ["on-accent-soft", "accent-soft"],
  ["on-seal", "seal"],
  ["on-seal", "seal-hover"],
  ["on-seal", "seal-press"],
  ["on-seal-soft", "seal-soft"],
  ["on-seal-soft", "seal-soft-hover"],
  ["on-seal-soft", "surface"],
  ["on-seal-soft", "ground"],
  ["on-amber-soft", "amber-soft"],
] as const;

/** Outlines, icons and rings: 3:1 against what they lie on (WCAG 2.2, 1.4.11). */
const SHAPE_PAIRS = [
  ["line-strong", "ground"],
  ["line-strong", "surface"],
  ["focus", "ground"],
  ["focus", "stage"],
  ["focus", "surface"],
  ["speaking", "stage"],
  ["speaking", "surface"],
  ["amber", "surface"],
] as const;

const THEMES = ["light", "dark"] as const;

test.each(THEMES)("words are legible in the %s theme", (theme) => {
  for (const [text, ground] of TEXT_PAIRS) {
    const ratio = contrast(token(text, theme), token(ground, theme));
    expect(ratio, `${text} on ${ground}`).toBeGreaterThanOrEqual(4.5);
  }
});

test.each(THEMES)("shapes stand out in the %s theme", (theme) => {
  for (const [shape, ground] of SHAPE_PAIRS) {
    const ratio = contrast(token(shape, theme), token(ground, theme));
    expect(ratio, `${shape} on ${ground}`).toBeGreaterThanOrEqual(3);
  }
});

test("white initials are legible on every avatar", () => {
  const tones = new Set(Array.from({ length: 200 }, (_, at) => toneOf(`Person ${at}`)));
  for (const tone of tones) expect(contrast("#ffffff", tone), tone).toBeGreaterThanOrEqual(4.5);
});
