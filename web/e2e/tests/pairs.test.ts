import { createMeeting } from "../src/meeting.ts";
import { Person } from "../src/person.ts";
import { test } from "../src/runner.ts";
import { type BrowserName, frameCounts } from "../src/tab.ts";
import { until } from "../src/until.ts";

const BROWSERS: readonly BrowserName[] = ["chromium", "firefox"];

for (const first of BROWSERS) {
  for (const second of BROWSERS) {
    test(`${first} and, after it, ${second} see and hear each other`, async (stage) => {
      const link = await createMeeting(await stage.server());
      const ada = await Person.enter(stage, first, link, { name: "Ada", colour: "red" });
      const ben = await Person.enter(stage, second, link, { name: "Ben", colour: "blue" });

      await Promise.all([ada.sees("Ben", "blue"), ben.sees("Ada", "red")]);
      await Promise.all([ada.decodes(), ben.decodes()]);
      await Promise.all([ada.hears(), ben.hears()]);
      await Promise.all([ada, ben].map((person) => opensAll(person)));
    });
  }
}

/** Frames of sound and picture of some seconds. */
const FRAMES = 200;

/** Waits until so many frames were opened, and checks that none was lost meanwhile. */
async function opensAll({ tab, name }: Person): Promise<void> {
  const before = await frameCounts(tab);
  const after = await until(`${name} to open ${FRAMES} frames`, async () => {
    const now = await frameCounts(tab);
    return now.opened >= before.opened + FRAMES ? now : undefined;
  });
  for (const what of ["dropped", "notSealed"] as const) {
    const lost = Object.entries(after[what]).filter(
      // A frame that comes twice, as retransmission may have it, is opened once.
      ([why, count]) => why !== "replayed" && count > (before[what][why] ?? 0),
    );
    if (lost.length > 0) throw new Error(`${name}, ${what}: ${JSON.stringify(lost)}`);
  }
  if (after.sealed === 0) throw new Error(`${name} sealed nothing`);
}
