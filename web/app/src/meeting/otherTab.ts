/**
 * Tells the tabs of one browser of each other's calls, by the browser's own locks: a tab that
 * crashes gives its lock back.
 * @module
 */

/** Whether another tab is in a call of this meeting. */
export async function isOpenElsewhere(meeting: string): Promise<boolean> {
  const { locks } = navigator as Partial<Navigator>;
  if (locks === undefined) return false;
  const { held = [] } = await locks.query();
  return held.some(({ name }) => name === lockName(meeting));
}

/** Says that this tab is in a call, until the function that it returns is called. */
export function markOpen(meeting: string): () => void {
  const { locks } = navigator as Partial<Navigator>;
  if (locks === undefined) return () => undefined;
  let release = (): void => undefined;
  const done = new Promise<void>((resolve) => {
    release = resolve;
  });
  // Shared: a second tab that joins all the same is marked as well.
  locks.request(lockName(meeting), { mode: "shared" }, () => done).catch(() => undefined);
  return () => release();
}

function lockName(meeting: string): string {
  return `conclave.call.${meeting}`;
}
