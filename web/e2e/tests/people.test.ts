import { createMeeting } from "../src/meeting.ts";
import { Person } from "../src/person.ts";
import { test } from "../src/runner.ts";
import { appears } from "../src/tab.ts";
import { until } from "../src/until.ts";

test("three to six people come one after the other, and all see each other", async (stage) => {
  const link = await createMeeting(await stage.server());
  const ada = await Person.enter(stage, "chromium", link, { name: "Ada", colour: "yellow" });
  const ben = await Person.enter(stage, "firefox", link, { name: "Ben", colour: "magenta" });
  stage.bot(link);
  for (const people of [3, 4, 5, 6]) {
    for (const person of [ada, ben]) await person.hasMediaOf(people - 1);
    if (people < 6) stage.bot(link);
  }
  await ada.sees("Ben", "magenta");
  await ben.sees("Ada", "yellow");
  await ada.hears();
});

test("who leaves is gone for the others, and may come back", async (stage) => {
  const link = await createMeeting(await stage.server());
  const ada = await Person.enter(stage, "chromium", link, { name: "Ada", colour: "red" });
  const ben = await Person.enter(stage, "chromium", link, { name: "Ben", colour: "blue" });
  await ada.sees("Ben", "blue");

  await ben.leave();
  await until("Ben's tile to go", async () => (await ada.othersInView()).length === 0);
  await appears(ben.tab, "button", "Join again");
  await ben.tab.click("button", "Join again");
  await ben.isInCall();
  await Promise.all([ada.sees("Ben", "blue"), ben.sees("Ada", "red")]);

  const bot = stage.bot(link);
  await ada.hasMediaOf(2);
  await bot.leave();
  await until("the bot's tile to go", async () => (await ada.othersInView()).length === 1);
});

test("a reload comes back with at most one click, and only once", async (stage) => {
  const link = await createMeeting(await stage.server());
  const ada = await Person.enter(stage, "chromium", link, { name: "Ada", colour: "red" });
  const ben = await Person.enter(stage, "chromium", link, { name: "Ben", colour: "blue" });
  await ada.sees("Ben", "blue");

  await ben.tab.reload();
  await ben.comesBack();
  await Promise.all([ada.sees("Ben", "blue"), ben.sees("Ada", "red")]);
  await until("one Ben only", async () => (await ada.othersInView()).length === 1);
});
