import { createMeeting } from "../src/meeting.ts";
import { Person } from "../src/person.ts";
import { test } from "../src/runner.ts";
import { stats } from "../src/tab.ts";
import { until } from "../src/until.ts";

const VP8 = "video/VP8";
const VP9 = "video/VP9";

test("a camera in VP9 is seen in Chromium and in Firefox, which sends VP8 to them", async (stage) => {
  const link = await createMeeting(await stage.ownServer({ cameraCodec: "vp9" }));
  const ada = await Person.enter(stage, "chromium", link, { name: "Ada", colour: "red" });
  const ben = await Person.enter(stage, "firefox", link, { name: "Ben", colour: "blue" });
  const eve = await Person.enter(stage, "chromium", link, { name: "Eve", colour: "green" });

  await Promise.all([
    ...[ada, ben].map((person) => person.sees("Eve", "green")),
    ...[ada, eve].map((person) => person.sees("Ben", "blue")),
    ...[ben, eve].map((person) => person.sees("Ada", "red")),
  ]);
  await Promise.all([ada, ben, eve].map((person) => person.decodes()));
  await sendsIn(ada, VP9);
  await sendsIn(eve, VP9);
  await sendsIn(ben, VP8);
  await receivesIn(ben, [VP9, VP9]);
  await receivesIn(ada, [VP8, VP9]);
  await receivesIn(eve, [VP8, VP9]);
});

test("a native participant takes a camera in VP9", async (stage) => {
  const link = await createMeeting(await stage.ownServer({ cameraCodec: "vp9" }));
  const ada = await Person.enter(stage, "chromium", link, { name: "Ada", colour: "red" });
  const bot = stage.bot(link, { args: ["--tiles", "1"] });
  await bot.isIn();
  await sendsIn(ada, VP9);
  // Only a key frame that was opened tells the width.
  await until("the bot to open pictures", () => {
    const { received = [] } = bot.reports().at(-1) ?? {};
    return received.some(({ frames, width }) => width > 0 && frames >= 30);
  });
});

/** Waits until all that a person sends of its camera is in this codec, and something is sent. */
async function sendsIn(person: Person, codec: string): Promise<void> {
  let seen: readonly string[] = [];
  await until(`${person.name} to send ${codec}`, async () => {
    const { sent } = await stats(person.tab);
    seen = sent.filter(({ framesEncoded }) => framesEncoded > 0).map((layer) => layer.codec);
    return seen.length > 0 && seen.every((each) => each === codec);
  }).catch((error: unknown) => {
    throw new Error(`${person.name} sends ${seen.join()} instead of ${codec}`, { cause: error });
  });
}

/** Waits until the pictures that a person decodes come in these codecs, in their order. */
async function receivesIn(person: Person, codecs: readonly string[]): Promise<void> {
  let seen: readonly string[] = [];
  await until(`${person.name} to receive ${codecs.join()}`, async () => {
    const { video } = await stats(person.tab);
    seen = video.filter(({ framesDecoded }) => framesDecoded > 0).map(({ codec }) => codec);
    return [...seen].sort().join() === codecs.join();
  }).catch((error: unknown) => {
    throw new Error(`${person.name} receives ${seen.join()}, not ${codecs.join()}`, {
      cause: error,
    });
  });
}
