import { chatOf, openChat, readsInChat, writes } from "../src/group.ts";
import { createMeeting } from "../src/meeting.ts";
import { Person } from "../src/person.ts";
import { test, Violation } from "../src/runner.ts";
import type { Stage } from "../src/stage.ts";
import { until } from "../src/until.ts";

/** Texts that are to be text, and nothing else. */
const HOSTILE = [
  "<img src=x onerror='globalThis.struck=1'><script>globalThis.struck=1</script>",
  "javascript:globalThis.struck=1",
  "[click](javascript:globalThis.struck=1) &lt;b&gt; {{7*7}}",
  "https://conclave.example@evil.example/‮gpj.exe",
  "data:text/html,<script>globalThis.struck=1</script>",
] as const;

declare global {
  var struck: number | undefined;
}

async function adaAndBen(stage: Stage): Promise<readonly [Person, Person]> {
  const link = await createMeeting(await stage.server());
  const ada = await Person.enter(stage, "chromium", link, { name: "Ada", colour: "red" });
  const ben = await Person.enter(stage, "firefox", link, { name: "Ben", colour: "blue" });
  await Promise.all([ada.sees("Ben", "blue"), ben.sees("Ada", "red")]);
  return [ada, ben];
}

test("what one writes the other reads, both ways, and hostile text is only text", async (stage) => {
  const [ada, ben] = await adaAndBen(stage);
  await Promise.all([openChat(ada), openChat(ben)]);
  await writes(ada, "Good morning, Ben");
  await readsInChat(ben, "Good morning, Ben");
  await writes(ben, "Guten Morgen, Ada 👋");
  await readsInChat(ada, "Guten Morgen, Ada 👋");
  await readsInChat(ben, "Guten Morgen, Ada 👋");

  for (const [from, to] of [
    [ada, ben],
    [ben, ada],
  ] as const) {
    const before = (await chatOf(to)).length;
    for (const text of HOSTILE) await writes(from, text);
    await until("all of it to be there", async () => {
      return (await chatOf(to)).length === before + HOSTILE.length;
    });
    const seen = await to.tab.evaluate(() => {
      const log = document.querySelector('[role="log"]');
      const links = [...(log?.querySelectorAll("a") ?? [])];
      return {
        struck: globalThis.struck,
        elements: log?.querySelectorAll("img, script, iframe, object, form, style").length,
        links: links.map((link) => ({ href: link.href, rel: link.rel })),
      };
    });
    if (seen.struck !== undefined) throw new Violation("a script in a message ran");
    if (seen.elements !== 0) throw new Violation("a message made elements");
    for (const { href, rel } of seen.links) {
      if (!href.startsWith("https://")) throw new Violation(`a message made a link to ${href}`);
      if (!rel.includes("noopener")) throw new Violation("a link may reach back");
    }
    if (!(await chatOf(to)).includes(HOSTILE[0])) throw new Error("a text was changed");
  }
});

test("reactions and raised hands are seen by the other", async (stage) => {
  const [ada, ben] = await adaAndBen(stage);
  for (const [from, to] of [
    [ada, ben],
    [ben, ada],
  ] as const) {
    await from.press("Raise your hand");
    await until(`${to.name} to see the hand`, () =>
      to.tab.evaluate(() => document.querySelector('[data-testid="hand"]') !== null),
    );
    await from.press("Raise your hand");
    await until(`${to.name} to see it go down`, () =>
      to.tab.evaluate(() => document.querySelector('[data-testid="hand"]') === null),
    );
    await from.press("Reactions");
    await from.press("Applause");
    await until(`${to.name} to see the applause`, () =>
      to.tab.evaluate(
        (name) =>
          document.querySelector('[data-testid="reaction-stack"]')?.textContent?.includes(name) ===
          true,
        from.name,
      ),
    );
  }
});
