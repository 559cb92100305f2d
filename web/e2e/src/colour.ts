/**
 * Known colours: what a fake camera shows, and what a far tile is checked for.
 * @module
 */

import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Red, green and blue, 0 to 255. */
export type Rgb = readonly [number, number, number];

/** The colours that tests send: far enough apart to survive a lossy encoder. */
export const COLOURS = {
  red: [200, 30, 30],
  green: [30, 160, 50],
  blue: [30, 50, 200],
  yellow: [210, 200, 30],
  magenta: [190, 40, 180],
  cyan: [40, 180, 190],
} as const satisfies Record<string, Rgb>;

/** The name of a known colour. */
export type Colour = keyof typeof COLOURS;

/** The known colour nearest to `seen`, or `undefined` if none is near. */
export function nearestColour(seen: Rgb): Colour | undefined {
  let best: { name: Colour; distance: number } | undefined;
  for (const [name, rgb] of Object.entries(COLOURS) as [Colour, Rgb][]) {
    const distance = Math.hypot(seen[0] - rgb[0], seen[1] - rgb[1], seen[2] - rgb[2]);
    if (best === undefined || distance < best.distance) best = { name, distance };
  }
  return best !== undefined && best.distance < 70 ? best.name : undefined;
}

/**
 * Writes a clip of one colour for Chromium's `--use-file-for-fake-video-capture`, with a bar that
 * moves along the lower edge, and returns its path.
 */
export function colourClip(colour: Colour): string {
  const [width, height, frames] = [640, 360, 16];
  const [r, g, b] = COLOURS[colour];
  const luma = 16 + (65.738 * r + 129.057 * g + 25.064 * b) / 256;
  const blueDifference = 128 + (-37.945 * r - 74.494 * g + 112.439 * b) / 256;
  const redDifference = 128 + (112.439 * r - 94.154 * g - 18.285 * b) / 256;
  const chunks: Buffer[] = [Buffer.from(`YUV4MPEG2 W${width} H${height} F15:1 Ip A1:1 C420jpeg\n`)];
  for (let frame = 0; frame < frames; frame += 1) {
    const y = Buffer.alloc(width * height, Math.round(luma));
    const left = (frame * width) / frames;
    for (let row = height - 24; row < height; row += 1) {
      y.fill(235, row * width + left, row * width + left + width / frames);
    }
    const chroma = (width * height) / 4;
    chunks.push(
      Buffer.from("FRAME\n"),
      y,
      Buffer.alloc(chroma, Math.round(blueDifference)),
      Buffer.alloc(chroma, Math.round(redDifference)),
    );
  }
  const path = join(mkdtempSync(join(tmpdir(), "conclave-e2e-clip-")), `${colour}.y4m`);
  writeFileSync(path, Buffer.concat(chunks));
  return path;
}
