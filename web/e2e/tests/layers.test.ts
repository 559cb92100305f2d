import { createMeeting } from "../src/meeting.ts";
import { Person } from "../src/person.ts";
import { test } from "../src/runner.ts";
import { negotiations, stats } from "../src/tab.ts";
import { until } from "../src/until.ts";

/** The widest picture that comes in at the moment: of streams whose frames still grow. */
async function widestLive(person: Person): Promise<number> {
  const before = new Map((await stats(person.tab)).video.map((v) => [v.mid, v.framesDecoded]));
  await person.decodes(8);
  const live = (await stats(person.tab)).video.filter(
    ({ mid, framesDecoded }) => framesDecoded > (before.get(mid) ?? 0),
  );
  return Math.max(0, ...live.map(({ frameWidth }) => frameWidth));
}

async function settlesAt(
  person: Person,
  what: string,
  fits: (width: number) => boolean,
  timeoutMs = 80_000,
): Promise<void> {
  let seen = 0;
  await until(
    `${what} (last seen: ${seen})`,
    async () => {
      seen = await widestLive(person);
      return fits(seen);
    },
    { timeoutMs },
  ).catch((error: unknown) => {
    throw new Error(`${what}: the widest picture is ${seen} wide`, { cause: error });
  });
}

test("a large tile gets the large picture, a small one a smaller", async (stage) => {
  const link = await createMeeting(await stage.server());
  stage.bot(link);
  const ada = await Person.enter(stage, "chromium", link, {
    name: "Ada",
    colour: "red",
    size: [1500, 950],
  });
  await settlesAt(ada, "a tile of 1280 and more gets 1280x720", (width) => width === 1280);
  const before = await negotiations(ada.tab);
  await ada.tab.resize(480, 360);
  await settlesAt(ada, "a tile of 480 gets 640x360 or less", (width) => width <= 640);
  await ada.tab.resize(1500, 950);
  await settlesAt(ada, "the tile grows and so does the picture", (width) => width === 1280);
  const after = await negotiations(ada.tab);
  if (after !== before) throw new Error(`${after - before} negotiations for a change of layer`);
});

test(
  "when the network narrows, the picture shrinks and goes on; when it widens, it grows again",
  async (stage) => {
    const { server, network } = await stage.serverBehindNetwork();
    const link = await createMeeting(server);
    stage.bot(link);
    const ada = await Person.enter(stage, "chromium", link, {
      name: "Ada",
      colour: "red",
      size: [1500, 950],
    });
    await settlesAt(ada, "before the limit: 1280x720", (width) => width === 1280);
    network.narrow(160);
    await settlesAt(ada, "under the limit: a smaller layer", (width) => width > 0 && width < 1280);
    await ada.decodes(20);
    network.mend();
    await settlesAt(ada, "after the limit: 1280x720 again", (width) => width === 1280);
  },
  {
    skip: ({ network }) => (typeof network === "string" ? network : undefined),
    timeoutMs: 300_000,
  },
);

const PUBLISHERS = [
  { browser: "chromium", cameraCodec: "vp8" },
  { browser: "firefox", cameraCodec: "vp8" },
  { browser: "chromium", cameraCodec: "vp9" },
] as const;

for (const { browser, cameraCodec } of PUBLISHERS) {
  test(`${browser} encodes in ${cameraCodec} what somebody is shown, and nothing else`, async (stage) => {
    const link = await createMeeting(await stage.ownServer({ cameraCodec }));
    const ada = await Person.enter(stage, browser, link, {
      name: "Ada",
      colour: "red",
      cameraSize: [1280, 720],
    });
    await encodes(ada, "nothing, alone", (rids) => rids.length === 0);

    const small = { name: "Ben", colour: "blue", size: [420, 330] } as const;
    const ben = await Person.enter(stage, "chromium", link, small);
    await ben.sees("Ada", "red");
    await encodes(ada, "small pictures", (rids) => rids.includes("q") && !rids.includes("f"));

    await ben.tab.resize(1500, 950);
    await encodes(ada, "the large picture again", (rids) => rids.includes("f"));
    await settlesAt(ben, "the large tile gets 1280x720", (width) => width === 1280);
    await ben.sees("Ada", "red");
    await ben.tab.resize(420, 330);
    await settlesAt(ben, "the small tile gets a smaller picture", (width) => width < 1280);
    await ben.sees("Ada", "red");
    const { video } = await stats(ben.tab);
    const wanted = `video/${cameraCodec.toUpperCase()}`;
    const other = video.find(({ codec }) => codec !== "" && codec !== wanted);
    if (other !== undefined) throw new Error(`a picture came in ${other.codec}`);
    await ben.leave();
    await encodes(ada, "nothing, alone again", (rids) => rids.length === 0);
  });
}

/** Waits until the layers that a person's browser encodes, by their rids, are as told. */
async function encodes(
  person: Person,
  what: string,
  fits: (rids: readonly string[]) => boolean,
): Promise<void> {
  let before: ReadonlyMap<string, number> | undefined;
  let seen: readonly string[] = [];
  await until(
    `${person.name} to encode ${what}`,
    async () => {
      const { sent } = await stats(person.tab);
      const counts = new Map(sent.map(({ rid, framesEncoded }) => [rid, framesEncoded]));
      const last = before;
      before = counts;
      if (last === undefined) return false;
      seen = [...counts].flatMap(([rid, count]) => (count > (last.get(rid) ?? 0) ? rid : []));
      return fits(seen);
    },
    { everyMs: 1_000 },
  ).catch((error: unknown) => {
    throw new Error(`${person.name} encodes ${seen.join()} instead of ${what}`, { cause: error });
  });
}
