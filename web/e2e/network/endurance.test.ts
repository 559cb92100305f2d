import { COUPLES, check, endure, inWords } from "../src/endurance.ts";
import { test } from "../src/runner.ts";

for (const couples of COUPLES) {
  const [first, second] = couples.map((browsers) => browsers.join(" with "));
  test(
    `joins and leaves do not disturb those who stay, at 2 % loss with jitter: ${first}, ${second}`,
    async (stage) => {
      const findings = await endure(stage, couples, { turns: 4, turnS: 30 });
      for (const line of inWords(findings)) stage.note(line);
      check(findings);
    },
    {
      timeoutMs: 300_000,
      skip: ({ network }) => (typeof network === "string" ? network : undefined),
    },
  );
}
