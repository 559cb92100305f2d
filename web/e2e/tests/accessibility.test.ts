import { violations } from "../src/axe.ts";
import { Person } from "../src/person.ts";
import { test } from "../src/runner.ts";
import { appears } from "../src/tab.ts";
import { until } from "../src/until.ts";
import { walkViews } from "../src/views.ts";

test(
  "axe finds nothing in any view in either colour scheme",
  async (stage) => {
    const found: string[] = [];
    let views = 0;
    await walkViews(stage, {}, async (view, tab) => {
      for (const colorScheme of ["light", "dark"] as const) {
        await tab.page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        views += 1;
        for (const violation of await violations(tab)) {
          found.push(`${view}, ${colorScheme}: ${violation}`);
        }
      }
    });
    stage.note(`${views} views`);
    if (found.length > 0) throw new Error(`${found.length} violations\n${found.join("\n")}`);
  },
  { timeoutMs: 600_000 },
);

test("from the home page into a call and out of it with the keyboard alone", async (stage) => {
  const server = await stage.server();
  const tab = await stage.open("chromium", { colour: "red" });
  await tab.goto(server.url);
  const focusOn = (name: string) =>
    until(
      `the focus to reach "${name}"`,
      async () => {
        const focused = await tab.evaluate(() => {
          const element = document.activeElement;
          if (element === null) return "";
          const label = element.getAttribute("aria-label");
          const labels = (element as HTMLInputElement).labels;
          return label ?? labels?.[0]?.textContent ?? element.textContent ?? "";
        });
        if (focused.trim() === name) return true;
        await tab.press("Tab");
        return false;
      },
      { everyMs: 20 },
    );

  await focusOn("Start a meeting");
  await tab.press("Enter");
  await appears(tab, "textbox", "Your name");
  await focusOn("Your name");
  for (const letter of "Ada") await tab.press(letter);
  await tab.press("Enter");
  const ada = Person.at(tab, "Ada");
  await ada.isInCall();
  await focusOn("Leave the meeting");
  await tab.press("Enter");
  await ada.hasLeft();
});
