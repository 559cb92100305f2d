/**
 * A list of named tests, run one after the other: they share two cores with the browsers they drive.
 * @module
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { Stage } from "./stage.ts";
import { World } from "./world.ts";

/** Where a run leaves its report, and what a failed test's pages looked like. */
export const OUT = join(import.meta.dirname, "../out");

/** How a test may differ from the rest. */
export interface TestOptions {
  /** The longest it may take; two minutes unless told otherwise. */
  readonly timeoutMs?: number;
  /** Why it cannot run on this machine, if so. It then counts as skipped. */
  readonly skip?: (world: World) => Promise<string | undefined> | string | undefined;
}

interface Test extends TestOptions {
  readonly name: string;
  readonly run: (stage: Stage) => Promise<void>;
}

interface Outcome {
  readonly name: string;
  readonly outcome: "failed" | "passed" | "skipped";
  readonly seconds: number;
  readonly reason?: string;
  readonly notes?: readonly string[];
}

const TESTS: Test[] = [];

/** Registers a test. Its name is a sentence that the test proves. */
export function test(
  name: string,
  run: (stage: Stage) => Promise<void>,
  options: TestOptions = {},
): void {
  TESTS.push({ name, run, ...options });
}

/** Runs the registered tests whose names contain one of `filters`; returns the exit code. */
export async function run(filters: readonly string[]): Promise<number> {
  mkdirSync(OUT, { recursive: true });
  const wanted = filters.map((filter) => filter.toLowerCase());
  const chosen = TESTS.filter(
    ({ name }) =>
      wanted.length === 0 || wanted.some((filter) => name.toLowerCase().includes(filter)),
  );
  const world = new World();
  const outcomes: Outcome[] = [];
  try {
    for (const each of chosen) {
      const outcome = await perform(each, world);
      outcomes.push(outcome);
      say(
        `${outcome.outcome.padEnd(7)} ${outcome.seconds.toFixed(1).padStart(6)} s  ${outcome.name}`,
      );
      for (const note of outcome.notes ?? []) say(indent(note));
      if (outcome.reason !== undefined) say(indent(outcome.reason));
    }
  } finally {
    await world.close();
  }

  const count = (wanted: Outcome["outcome"]) =>
    outcomes.filter(({ outcome }) => outcome === wanted).length;
  writeFileSync(join(OUT, "summary.json"), `${JSON.stringify({ tests: outcomes }, null, 2)}\n`);
  const skipped = count("skipped");
  if (skipped > 0) say(`${skipped} skipped`);
  say(`${count("passed")} passed, ${count("failed")} failed`);
  if (outcomes.length === 0) return 1;
  return count("failed") === 0 ? 0 : 1;
}

async function perform(test: Test, world: World): Promise<Outcome> {
  const { name, timeoutMs = 120_000 } = test;
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;

  const obstacle = await test.skip?.(world);
  if (obstacle !== undefined)
    return { name, outcome: "skipped", seconds: seconds(), reason: obstacle };

  const stage = new Stage(world);
  let failure: unknown;
  try {
    await withDeadline(test.run(stage), timeoutMs);
    stage.check();
  } catch (error) {
    failure = error;
    await stage.preserve(join(OUT, slug(name)));
  }
  try {
    await withDeadline(stage.close(), 60_000);
  } catch (error) {
    failure ??= error;
  }
  const { notes } = stage;
  if (failure === undefined) return { name, outcome: "passed", seconds: seconds(), notes };
  return { name, outcome: "failed", seconds: seconds(), notes, reason: describe(failure) };
}

async function withDeadline(work: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${timeoutMs / 1000} s`)), timeoutMs);
  });
  // A test that lost against its deadline may fail later, when its pages are closed.
  work.catch(() => {});
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** An error with its causes, without the runner's own lines. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const where = (error.stack ?? "")
    .split("\n")
    .filter((line) => /\/(tests|src)\/[^/]+\.ts/.test(line) && !line.includes("runner.ts"))
    .slice(0, 4);
  const cause = error.cause === undefined ? [] : [`because: ${describe(error.cause)}`];
  return [error.message, ...where, ...cause].join("\n");
}

function slug(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, 80);
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, "        ");
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
