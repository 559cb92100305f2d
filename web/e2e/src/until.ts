/**
 * Waiting for conditions instead of for time.
 * @module
 */

/** How long a condition may take, unless told otherwise: shared machines stall for many seconds. */
export const PATIENCE_MS = 45_000;

/** How {@link until} waits. */
export interface Patience {
  readonly timeoutMs?: number;
  readonly everyMs?: number;
}

/**
 * Asks `probe` again and again until its answer is neither `undefined` nor `false`.
 *
 * @param what - the condition, as the end of "waited for …".
 * @throws if the time is over, with the last failure of `probe` as the cause.
 */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  { timeoutMs = PATIENCE_MS, everyMs = 100 }: Patience = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      const answer = await probe();
      if (answer !== undefined && answer !== false) return answer;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`waited ${timeoutMs / 1000} s for ${what}`, { cause });
    }
    await pause(everyMs);
  }
}

/** Lets time pass: only where the passing of time is itself what is tested. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
