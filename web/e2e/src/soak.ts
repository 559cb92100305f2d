/**
 * The same as the tests of a bad network, for longer: `node src/soak.ts [--minutes 10]`, of which each
 * couple has its share, and as long again in peace. It leaves its figures in `out/soak.json`, too.
 * @module
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { nameOf } from "./couple.ts";
import { COUPLES, check, endure, type Findings, inWords, ROUGH } from "./endurance.ts";
import { OUT, run, test } from "./runner.ts";

/** Beside that: two people come, and the last visitors take their leave. */
const SLACK_MS = 180_000;

const { values } = parseArgs({ options: { minutes: { type: "string", default: "10" } } });
const minutes = Number(values.minutes);
if (!(minutes >= 2)) throw new Error("it takes two minutes at least");

const seconds = (minutes * 60) / COUPLES.length;
const found: Findings[] = [];

for (const pair of COUPLES) {
  test(
    `joins and leaves do not disturb ${nameOf(pair)} who stay, for ${seconds} s`,
    async (stage) => {
      const findings = await endure(stage, pair, {
        disturbedSeconds: seconds,
        peacefulSeconds: seconds,
      });
      found.push(findings);
      for (const line of inWords(findings)) stage.note(line);
      check(findings);
    },
    { timeoutMs: 2 * seconds * 1000 + SLACK_MS, attempts: 1 },
  );
}

const code = await run([], ROUGH);
const json = JSON.stringify(found, null, 2);
writeFileSync(join(OUT, "soak.json"), `${json}\n`);
process.stdout.write(`${json}\n`);
process.exit(code);
