/**
 * Takes a picture of every view in both colour schemes and three sizes, with a real server, and the
 * one that the README shows: `node src/screenshots.ts [part of a view's name …]`.
 * @module
 */

import { execFileSync } from "node:child_process";
import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";

import { createMeeting } from "./meeting.ts";
import { Person } from "./person.ts";
import { ROOT } from "./process.ts";
import { OUT } from "./runner.ts";
import { Stage } from "./stage.ts";
import { pause, until } from "./until.ts";
import { walkViews } from "./views.ts";
import { World } from "./world.ts";

const SIZES = [
  [390, 844],
  [1280, 800],
  [1920, 1080],
] as const;

/** Long enough for a transition of the interface to end. */
const TRANSITION_MS = 400;

const FOLDER = join(OUT, "screenshots");
const README_PICTURE = join(ROOT, "docs/images/call.png");
const README_BYTES = 300_000;

/** Who the README shows. */
const CAST = [
  ["Amara Okafor", "cyan"],
  ["Jonas Weber", "yellow"],
  ["Chloé Martin", "magenta"],
  ["Dewi Lestari", "green"],
  ["Mei-Ling Chen", "red"],
] as const;

const wanted = process.argv.slice(2);
const world = await World.create();
mkdirSync(FOLDER, { recursive: true });
try {
  for (const [width, height] of SIZES) await takeAll(width, height);
  if (wanted.length === 0 || wanted.includes("readme")) await takeReadmePicture();
} finally {
  await world.close();
}
// A browser's helper process may hold the event loop.
process.exit(0);

async function takeAll(width: number, height: number): Promise<void> {
  if (wanted.length === 1 && wanted[0] === "readme") return;
  const stage = new Stage(world);
  try {
    const options = { size: [width, height], large: true, portrait: 2 } as const;
    await walkViews(stage, options, async (view, tab) => {
      if (wanted.length > 0 && !wanted.some((part) => view.includes(part))) return;
      for (const scheme of ["light", "dark"] as const) {
        await tab.page.emulateMedia({ colorScheme: scheme });
        await pause(TRANSITION_MS);
        await tab.screenshot(join(FOLDER, `${view}-${width}x${height}-${scheme}.png`));
      }
      await tab.page.emulateMedia({ colorScheme: "light" });
    });
  } finally {
    await stage.close();
  }
}

async function takeReadmePicture(): Promise<void> {
  const stage = new Stage(world);
  try {
    const link = await createMeeting(await stage.server(), "Budget review");
    const camera = { cameraSize: [640, 360] } as const;
    const tab = await stage.openChromium({
      colour: "blue",
      portrait: 2,
      size: [1280, 800],
      ...camera,
    });
    await tab.goto(link);
    const viewer = Person.at(tab, "Ada Lovelace");
    await viewer.isBeforeCall();
    await viewer.join();
    for (const [i, [name, colour]] of CAST.entries()) {
      const person = await Person.enter(stage, "chromium", link, {
        name,
        colour,
        portrait: [4, 3, 0, 1, 5][i] ?? 0,
        size: [360, 300],
        ...camera,
      });
      // One speaks.
      if (i > 0) await person.press("Microphone");
    }
    await viewer.hasMediaOf(CAST.length);
    // The pointer would show what it hovers over.
    await tab.page.mouse.move(640, 8);
    // What came and went is said for some seconds.
    await pause(7000);
    await until(
      "all pictures",
      async () => (await viewer.othersInView()).every(({ state }) => state === "live"),
      { timeoutMs: 60_000 },
    );
    await pause(TRANSITION_MS);
    mkdirSync(join(README_PICTURE, ".."), { recursive: true });
    await tab.screenshot(README_PICTURE);
    shrink(README_PICTURE);
  } finally {
    await stage.close();
  }
}

/** Reduces a picture to a palette, where a tool for it is there. */
function shrink(path: string): void {
  const before = statSync(path).size;
  const palette = "split[a][b];[a]palettegen=max_colors=256[p];[b][p]paletteuse=dither=sierra2_4a";
  try {
    execFileSync("ffmpeg", ["-y", "-loglevel", "error", "-i", path, "-vf", palette, `${path}.png`]);
    execFileSync("mv", [`${path}.png`, path]);
  } catch {
    process.stdout.write("no ffmpeg: the picture stays as it is\n");
  }
  const after = statSync(path).size;
  process.stdout.write(`${path}: ${before} -> ${after} bytes\n`);
  if (after > README_BYTES) throw new Error(`${path} is larger than ${README_BYTES} bytes`);
}
