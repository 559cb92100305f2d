import { createMeeting } from "../src/meeting.ts";
import { Person } from "../src/person.ts";
import { test } from "../src/runner.ts";
import type { Stage } from "../src/stage.ts";
import { until } from "../src/until.ts";

/** Negotiations so far, those for a larger pool of slots left out. */
async function plainNegotiations(person: Person): Promise<number> {
  const [all, growths] = await person.tab.evaluate(() => [
    conclaveProbe.remoteDescriptions,
    conclaveProbe.growths,
  ]);
  return (all ?? 0) - (growths ?? 0);
}

async function allNegotiations(person: Person): Promise<number> {
  return person.tab.evaluate(() => conclaveProbe.remoteDescriptions);
}

/** Waits until each picture in view has moved. */
async function everyPictureMoves(person: Person): Promise<number> {
  const first = new Map<string, number>();
  return until(
    `every picture in ${person.name}'s view to move`,
    async () => {
      const tiles = await person.othersInView();
      if (tiles.length === 0) return false;
      let moved = 0;
      for (const { participant, frames } of tiles) {
        if (frames === undefined) continue;
        const start = first.get(participant);
        if (start === undefined || frames < start) first.set(participant, frames);
        else if (frames >= start + 5) moved += 1;
      }
      return moved === tiles.length ? tiles.length : false;
    },
    { timeoutMs: 40_000 },
  );
}

async function enterAmong(stage: Stage, bots: number): Promise<{ person: Person; link: string }> {
  const link = await createMeeting(await stage.server());
  stage.bot(link, { count: bots });
  const person = await Person.enter(stage, "chromium", link, {
    name: "Ada",
    colour: "red",
    size: [1280, 800],
  });
  await person.countsPeople(bots + 1);
  return { person, link };
}

test(
  "among twenty, each page shows moving pictures, and neither paging nor coming nor going negotiates",
  async (stage) => {
    const few = await enterAmong(stage, 4);
    await everyPictureMoves(few.person);
    const forFive = await plainNegotiations(few.person);
    await few.person.leave();
    await stage.dismissBots();

    const { person, link } = await enterAmong(stage, 20);
    await everyPictureMoves(person);
    const forTwentyOne = await plainNegotiations(person);
    if (forTwentyOne !== forFive) {
      throw new Error(`${forTwentyOne} negotiations for 21 people, ${forFive} for 5`);
    }

    const settled = await allNegotiations(person);
    const seen = new Set<string>();
    for (;;) {
      await everyPictureMoves(person);
      for (const { participant } of await person.othersInView()) seen.add(participant);
      if (!(await person.nextPage())) break;
    }
    if (seen.size !== 20) throw new Error(`paging showed ${seen.size} of 20`);

    const late = stage.bot(link, { count: 2 });
    await person.countsPeople(23);
    await late.leave();
    await person.countsPeople(21);
    while (await person.previousPage()) await everyPictureMoves(person);
    const after = await allNegotiations(person);
    if (after !== settled) {
      throw new Error(`${after - settled} negotiations for paging, coming and going`);
    }
  },
  { timeoutMs: 240_000 },
);
