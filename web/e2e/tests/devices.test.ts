import { colourClip } from "../src/colour.ts";
import { createMeeting } from "../src/meeting.ts";
import { Person } from "../src/person.ts";
import { test } from "../src/runner.ts";
import { negotiations, stats } from "../src/tab.ts";
import { pause, until } from "../src/until.ts";

test("a camera's own picture arrives as it was filmed", async (stage) => {
  const link = await createMeeting(await stage.server());
  const ada = await Person.enter(stage, "chromium", link, {
    name: "Ada",
    chromium: { cameraClip: colourClip("cyan") },
  });
  const ben = await Person.enter(stage, "chromium", link, { name: "Ben", colour: "red" });
  await ben.sees("Ada", "cyan");
  await ada.sees("Ben", "red");
});

test("who mutes is not heard, and the others see it", async (stage) => {
  const link = await createMeeting(await stage.server());
  const ada = await Person.enter(stage, "chromium", link, { name: "Ada", colour: "red" });
  const ben = await Person.enter(stage, "firefox", link, { name: "Ben", colour: "blue" });
  await ben.hears();

  await ada.press("Microphone");
  await ben.seesMuted("Ada", true);
  // What was under way may still sound for a moment; the fake microphone beeps every second.
  await until("two and a half seconds without a sound", async () => {
    const before = await stats(ben.tab);
    await pause(2500);
    const after = await stats(ben.tab);
    return after.audioEnergy - before.audioEnergy < 1e-4;
  });

  await ada.press("Microphone");
  await ben.seesMuted("Ada", false);
  await ben.hears();
});

test("a camera goes off and on again without a new negotiation", async (stage) => {
  const link = await createMeeting(await stage.server());
  const ada = await Person.enter(stage, "chromium", link, { name: "Ada", colour: "red" });
  const ben = await Person.enter(stage, "firefox", link, { name: "Ben", colour: "blue" });
  await Promise.all([ada.sees("Ben", "blue"), ben.sees("Ada", "red")]);
  const before = await negotiations(ada.tab);

  for (const person of [ada, ben]) {
    const [other, colour] = person === ada ? ([ben, "red"] as const) : ([ada, "blue"] as const);
    await person.press("Camera");
    await until(
      `${other.name} to see no picture of ${person.name}`,
      async () => (await other.tileOf(person.name)).frames === undefined,
    );
    await person.press("Camera");
    await other.sees(person.name, colour);
    await other.decodes();
  }
  const after = await negotiations(ada.tab);
  if (after !== before) throw new Error(`${after - before} negotiations for a camera`);
});

test("another camera and another microphone are taken during the call", async (stage) => {
  const link = await createMeeting(await stage.server());
  const ada = await Person.enter(stage, "chromium", link, { name: "Ada" });
  const ben = await Person.enter(stage, "chromium", link, { name: "Ben", colour: "blue" });
  await Promise.all([ada.hasMediaOf(1), ben.hasMediaOf(1)]);
  const before = await negotiations(ada.tab);

  const choices = [
    ["video", "Choose a camera", "fake_device_2"],
    ["audio", "Microphone and loudspeaker", "Fake Audio Input 2"],
  ] as const;
  for (const [kind, menu, device] of choices) {
    await ada.chooseDevice(menu, device);
    await until(`Ada to send ${device}`, async () => (await ada.sends(kind)).includes(device));
  }
  await Promise.all([ben.decodes(), ben.hears()]);
  const after = await negotiations(ada.tab);
  if (after !== before) throw new Error(`${after - before} negotiations for another device`);
});
