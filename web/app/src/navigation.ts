import { useSyncExternalStore } from "react";

const listeners = new Set<() => void>();

/** Goes to another view of this app. */
export function navigate(path: string): void {
  history.pushState(undefined, "", path);
  for (const listener of listeners) listener();
}

/** The path in the address bar. */
export function usePath(): string {
  return useSyncExternalStore(subscribe, () => location.pathname);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  addEventListener("popstate", listener);
  return () => {
    listeners.delete(listener);
    removeEventListener("popstate", listener);
  };
}
