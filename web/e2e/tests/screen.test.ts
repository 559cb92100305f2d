import { createMeeting } from "../src/meeting.ts";
import { Person } from "../src/person.ts";
import { test } from "../src/runner.ts";
import { appears, negotiations } from "../src/tab.ts";
import { until } from "../src/until.ts";

test("a shared screen is featured for the others, beside the face of who shares", async (stage) => {
  const link = await createMeeting(await stage.server());
  const ada = await Person.enter(stage, "chromium", link, {
    name: "Ada",
    colour: "red",
    screen: "cyan",
  });
  const ben = await Person.enter(stage, "firefox", link, { name: "Ben", colour: "blue" });
  await Promise.all([ada.sees("Ben", "blue"), ben.sees("Ada", "red")]);
  const before = await negotiations(ben.tab);

  await ada.toggleShare();
  await until("Ben to see a cyan screen, larger than the face", async () => {
    const [screen, face] = [await ben.screenOf("Ada"), await ben.tileOf("Ada")];
    return screen.colour === "cyan" && screen.width > face.width;
  });
  await ben.sees("Ada", "red");
  await ada.decodes();

  await ada.toggleShare();
  await until("the screen to go", async () =>
    (await ben.tiles()).every(({ kind }) => kind !== "screen"),
  );
  const after = await negotiations(ben.tab);
  if (after - before > 1) throw new Error(`${after - before} negotiations for a shared screen`);
});

test("the browser's own screen capture arrives, and ends where the browser ends it", async (stage) => {
  const link = await createMeeting(await stage.server());
  const ada = await Person.enter(stage, "chromium", link, { name: "Ada", colour: "red" });
  const ben = await Person.enter(stage, "chromium", link, { name: "Ben", colour: "blue" });
  await ada.toggleShare();
  const screen = await ben.screenOf("Ada");
  if ((screen.frames ?? 0) === 0) throw new Error("no frame of the screen");
  await ada.tab.evaluate(() => {
    for (const peer of conclaveProbe.peers) {
      for (const { track } of peer.getSenders()) {
        if (track === null || track.kind !== "video") continue;
        if (!("displaySurface" in track.getSettings())) continue;
        // What the browser's own "stop sharing" bar does.
        track.stop();
        track.dispatchEvent(new Event("ended"));
      }
    }
  });
  await until("the screen to go", async () =>
    (await ben.tiles()).every(({ kind }) => kind !== "screen"),
  );
  await appears(ada.tab, "button", "Share your screen");
});
