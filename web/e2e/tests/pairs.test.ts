import { createMeeting } from "../src/meeting.ts";
import { Person } from "../src/person.ts";
import { test } from "../src/runner.ts";
import type { BrowserName } from "../src/tab.ts";

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
    });
  }
}
