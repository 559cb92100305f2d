import type { CallCommands, CallSnapshot } from "@conclave/client";
import { useCallback, useSyncExternalStore } from "react";

/**
 * A part of a call's snapshot.
 *
 * `select` must return a part of the snapshot itself or a plain value: what it returns is compared
 * by identity, and the component draws anew only when that changes.
 */
export function useSnapshot<T>(call: CallCommands, select: (snapshot: CallSnapshot) => T): T {
  const subscribe = useCallback((listener: () => void) => call.subscribe(listener), [call]);
  return useSyncExternalStore(subscribe, () => select(call.snapshot()));
}
