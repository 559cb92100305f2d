/**
 * `next`, but with each part that equals its counterpart in `previous` replaced by it, so that a
 * view can compare by reference. Plain objects and arrays only; anything else (a `MediaStream`)
 * is compared by identity.
 */
export function share<T>(previous: T, next: T): T {
  if (Object.is(previous, next)) return previous;
  if (Array.isArray(previous) && Array.isArray(next)) {
    const shared = next.map((item, i) => share(previous[i], item));
    const same =
      shared.length === previous.length && shared.every((item, i) => item === previous[i]);
    return same ? previous : (shared as T);
  }
  if (isPlain(previous) && isPlain(next)) {
    const before: Record<string, unknown> = previous;
    const entries = Object.entries(next).map(
      ([key, item]) => [key, share(before[key], item)] as const,
    );
    const same =
      entries.length === Object.keys(before).length &&
      entries.every(([key, item]) => key in before && Object.is(item, before[key]));
    return same ? previous : (Object.fromEntries(entries) as T);
  }
  return next;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype
  );
}
