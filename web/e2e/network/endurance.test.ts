import { nameOf } from "../src/couple.ts";
import { COUPLES, check, endure, inWords } from "../src/endurance.ts";
import { test } from "../src/runner.ts";

for (const pair of COUPLES) {
  test(
    `joins and leaves do not disturb ${nameOf(pair)} who stay, at 2 % loss with jitter`,
    async (stage) => {
      const findings = await endure(stage, pair, { disturbedSeconds: 40, peacefulSeconds: 20 });
      for (const line of inWords(findings)) stage.note(line);
      check(findings);
    },
    {
      skip: ({ network }) => (typeof network === "string" ? network : undefined),
      timeoutMs: 240_000,
    },
  );
}
