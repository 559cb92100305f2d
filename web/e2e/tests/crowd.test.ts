import { createMeeting } from "../src/meeting.ts";
import { Person } from "../src/person.ts";
import { test } from "../src/runner.ts";
import type { Stage } from "../src/stage.ts";
import { negotiations } from "../src/tab.ts";

/** How many bots come at the same time. */
const AT_ONCE = 5;

/** Negotiations so far, those for a larger pool of slots left out. */
async function plainNegotiations(person: Person): Promise<number> {
  const [all, growths] = await person.tab.evaluate(() => [
    conclaveProbe.remoteDescriptions,
    conclaveProbe.growths,
  ]);
  return (all ?? 0) - (growths ?? 0);
}

/** A bot opens what it shows: one picture is enough to be somebody. */
const SHOWN = ["--tiles", "1"];

async function enterAmong(stage: Stage, bots: number): Promise<{ person: Person; link: string }> {
  const link = await createMeeting(await stage.server());
  // Who comes in by the link alone makes a commit, and one commit is made at a time.
  for (let here = 0; here < bots; here += AT_ONCE) {
    const some = stage.bot(link, { count: Math.min(AT_ONCE, bots - here), args: SHOWN });
    await some.isIn({ timeoutMs: 120_000 });
  }
  const person = await Person.enter(stage, "chromium", link, {
    name: "Ada",
    colour: "red",
    size: [800, 600],
  });
  await person.countsPeople(bots + 1);
  return { person, link };
}

test(
  "among twenty, each page shows moving pictures, and neither paging nor coming nor going negotiates",
  async (stage) => {
    const few = await enterAmong(stage, 4);
    await few.person.seesAllMove();
    const forFive = await plainNegotiations(few.person);
    await few.person.leave();
    await stage.dismissBots();

    const { person, link } = await enterAmong(stage, 20);
    await person.seesAllMove();
    const forTwentyOne = await plainNegotiations(person);
    if (forTwentyOne !== forFive) {
      throw new Error(`${forTwentyOne} negotiations for 21 people, ${forFive} for 5`);
    }

    const settled = await negotiations(person.tab);
    const seen = new Set<string>();
    const turnThrough = async (towards: "Next page" | "Previous page") => {
      do {
        await person.seesAllMove();
        for (const { participant } of await person.othersInView()) seen.add(participant);
      } while (await person.turnPage(towards));
    };
    await turnThrough("Next page");
    // Who changed places across the edge of a page meanwhile is met on the way back.
    if (seen.size < 20) await turnThrough("Previous page");
    if (seen.size !== 20) throw new Error(`paging showed ${seen.size} of 20`);

    const late = stage.bot(link, { count: 2 });
    await person.countsPeople(23);
    await late.leave();
    await person.countsPeople(21);
    while (await person.turnPage("Previous page")) await person.seesAllMove();
    const after = await negotiations(person.tab);
    if (after !== settled) {
      throw new Error(`${after - settled} negotiations for paging, coming and going`);
    }
  },
  { timeoutMs: 600_000 },
);
