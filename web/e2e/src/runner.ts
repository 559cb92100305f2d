/**
 * A list of named tests, run one after the other: they share two cores with the browsers they drive.
 * @module
 */

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { describe, type Failure, type Outcome, sayEnd, sayOutcome } from "./report.ts";
import type { Roughness } from "./roughLink.ts";
import { Stage } from "./stage.ts";
import { World } from "./world.ts";

/** Where a run leaves its report, and what a failed test's pages looked like. */
export const OUT = join(import.meta.dirname, "../out");

/** How a test may differ from the rest. */
export interface TestOptions {
  /** The longest it may take; three minutes unless told otherwise. */
  readonly timeoutMs?: number;
  /** How often it is tried at most: twice unless told otherwise. */
  readonly attempts?: number;
  /** Why it cannot run on this machine, if so. It then counts as skipped. */
  readonly skip?: (world: World) => Promise<string | undefined> | string | undefined;
}

/**
 * What must never be seen, was seen. A busy machine is no excuse for it: such a test is not tried
 * a second time.
 */
export class Violation extends Error {}

interface Test extends TestOptions {
  readonly name: string;
  readonly run: (stage: Stage) => Promise<void>;
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

/**
 * Runs the registered tests whose names contain one of `filters`; returns the exit code.
 *
 * @param roughness - how bad the network is that tests may use, if it is not to be a good one.
 */
export async function run(filters: readonly string[], roughness?: Roughness): Promise<number> {
  mkdirSync(OUT, { recursive: true });
  const wanted = filters.map((filter) => filter.toLowerCase());
  const chosen = TESTS.filter(
    ({ name }) =>
      wanted.length === 0 || wanted.some((filter) => name.toLowerCase().includes(filter)),
  );
  const world = await World.create(roughness);
  endWhenAsked(world);
  const outcomes: Outcome[] = [];
  try {
    // The test that needs what does not start will say so.
    await world.warmUp().catch((error: unknown) => console.error(error));
    for (const each of chosen) {
      const outcome = await perform(each, world);
      outcomes.push(outcome);
      sayOutcome(outcome);
    }
  } finally {
    await world.close();
  }
  writeFileSync(join(OUT, "summary.json"), `${JSON.stringify({ tests: outcomes }, null, 2)}\n`);
  sayEnd(outcomes);
  const hasPassed = outcomes.length > 0 && outcomes.every(({ outcome }) => outcome !== "failed");
  return hasPassed ? 0 : 1;
}

/** The test that runs. */
let current: Stage | undefined;

/** Leaves nothing behind when the run is broken off: Playwright alone would let it go on. */
function endWhenAsked(world: World): void {
  for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) {
    process.once(signal, async () => {
      await Promise.allSettled([current?.close(), world.close()]);
      process.exit(1);
    });
  }
}

/**
 * Runs a test; once more, as a rule, with browsers and a server of its own if it failed. That is said: it
 * must not stop a landing, and must not go unseen.
 */
async function perform(test: Test, world: World): Promise<Outcome> {
  const { name } = test;
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;

  const obstacle = await test.skip?.(world);
  if (obstacle !== undefined) {
    const nothing = { failures: [], notes: [] };
    return { name, outcome: "skipped", seconds: seconds(), reason: obstacle, ...nothing };
  }

  const folder = join(OUT, slug(name));
  rmSync(folder, { recursive: true, force: true });
  const failures: Failure[] = [];
  for (;;) {
    const attempt = await attemptOf(test, world, join(folder, `attempt-${failures.length + 1}`));
    const { notes } = attempt;
    if (attempt.failure === undefined) {
      return { name, outcome: "passed", seconds: seconds(), failures, notes };
    }
    failures.push(attempt.failure);
    if (failures.length === (test.attempts ?? 2) || attempt.isFinal) {
      return { name, outcome: "failed", seconds: seconds(), failures, notes };
    }
    await world.renew();
  }
}

interface Attempt {
  readonly failure?: Failure;
  readonly isFinal: boolean;
  readonly notes: readonly string[];
}

async function attemptOf(test: Test, world: World, folder: string): Promise<Attempt> {
  const { timeoutMs = 180_000 } = test;
  const stage = new Stage(world);
  current = stage;
  let error: unknown;
  let traces: readonly string[] = [];
  try {
    await withDeadline(test.run(stage), timeoutMs);
    stage.check();
  } catch (caught) {
    error = caught;
    traces = await stage.preserve(folder);
  }
  try {
    await withDeadline(stage.close(), 60_000);
  } catch (caught) {
    error ??= caught;
  }
  const { notes } = stage;
  if (error === undefined) return { isFinal: true, notes };
  return {
    failure: { error: describe(error), traces },
    isFinal: error instanceof Violation,
    notes,
  };
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

function slug(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, 80);
}
