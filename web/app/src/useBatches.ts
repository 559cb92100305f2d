import { useEffect, useRef } from "react";

/**
 * Hands on what is new in a list, at most once in `everyMs`, so that a crowd makes one
 * announcement and not a hundred. What is there at first is not new.
 *
 * @param list with ids that grow; its beginning may be cut off
 */
export function useBatches<T extends { readonly id: number }>(
  list: readonly T[],
  everyMs: number,
  onBatch: (batch: readonly T[]) => void,
): void {
  const latest = useRef(onBatch);
  const seen = useRef(list.at(-1)?.id ?? -1);
  const waiting = useRef<readonly T[]>([]);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => {
    latest.current = onBatch;
  });

  useEffect(() => {
    const news = list.filter(({ id }) => id > seen.current);
    if (news.length === 0) return;
    seen.current = news.at(-1)?.id ?? seen.current;
    waiting.current = [...waiting.current, ...news];
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      const batch = waiting.current;
      waiting.current = [];
      latest.current(batch);
    }, everyMs);
  }, [list, everyMs]);

  useEffect(
    () => () => {
      clearTimeout(timer.current);
      timer.current = undefined;
    },
    [],
  );
}
