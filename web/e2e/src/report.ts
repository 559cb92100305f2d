/**
 * What a run says of its tests: while it goes on, and once more at its end, where a log is read.
 * @module
 */

import { stripVTControlCharacters } from "node:util";

/** How much of an error's message is said. */
const MESSAGE_LINES = 8;

/** How one test went. */
export interface Outcome {
  readonly name: string;
  readonly outcome: "failed" | "passed" | "skipped";
  readonly seconds: number;
  /** Why it was skipped. */
  readonly reason?: string;
  /** Each attempt that failed: of a test that passed, the first. */
  readonly failures: readonly Failure[];
  readonly notes: readonly string[];
}

/** One attempt that failed. */
export interface Failure {
  readonly error: string;
  /** The end of what pages, bots and servers wrote, and where the rest is kept. */
  readonly traces: readonly string[];
}

/** Says how a test went, once it is over. */
export function sayOutcome(outcome: Outcome): void {
  const { name, seconds, reason, failures, notes } = outcome;
  say(`${outcome.outcome.padEnd(7)} ${seconds.toFixed(1).padStart(6)} s  ${name}`);
  for (const note of notes) say(indent(note));
  if (reason !== undefined) say(indent(reason));
  for (const { error, traces } of failures) {
    say(indent(error));
    for (const trace of traces) say(indent(trace));
  }
  if (isRetried(outcome)) say(indent("PASSED AT THE SECOND ATTEMPT"));
}

/** Says again what did not go well, and counts: the count is the last line. */
export function sayEnd(outcomes: readonly Outcome[]): void {
  const failed = outcomes.filter(({ outcome }) => outcome === "failed");
  const retried = outcomes.filter(isRetried);
  const passed = outcomes.filter(({ outcome }) => outcome === "passed");
  const skipped = outcomes.length - passed.length - failed.length;
  for (const { name, failures } of retried) {
    say(`PASSED AT THE SECOND ATTEMPT: ${name}`);
    for (const { error } of failures) say(indent(error));
  }
  for (const { name, failures } of failed) {
    say(`FAILED: ${name}`);
    for (const { error } of failures) say(indent(error));
  }
  if (skipped > 0) say(`${skipped} skipped`);
  say(`${passed.length} passed, ${failed.length} failed`);
}

function isRetried({ outcome, failures }: Outcome): boolean {
  return outcome === "passed" && failures.length > 0;
}

/** An error with its causes, without the runner's own lines. */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const where = (error.stack ?? "")
    .split("\n")
    .filter((line) => /\/(tests|hostile|src)\/[^/]+\.ts/.test(line) && !line.includes("runner.ts"))
    .slice(0, 4);
  const cause = error.cause === undefined ? [] : [`because: ${describe(error.cause)}`];
  return [shortened(error.message), ...where, ...cause].join("\n");
}

/** The beginning of a message: Playwright's goes on with all that it tried, in colours. */
function shortened(message: string): string {
  const lines = stripVTControlCharacters(message).trim().split("\n");
  if (lines.length <= MESSAGE_LINES) return lines.join("\n");
  return [
    ...lines.slice(0, MESSAGE_LINES),
    `(and ${lines.length - MESSAGE_LINES} more lines)`,
  ].join("\n");
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, "        ");
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
