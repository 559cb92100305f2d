import { useEffect } from "react";

/** Keeps the screen from going dark while its component is there. */
export function useWakeLock(): void {
  useEffect(() => {
    const { wakeLock } = navigator as Partial<Navigator>;
    if (wakeLock === undefined) return undefined;
    let lock: Promise<WakeLockSentinel | undefined> | undefined;
    // The browser lets go of it when the page is hidden.
    const take = (): void => {
      if (!document.hidden) lock = wakeLock.request("screen").catch(() => undefined);
    };
    take();
    document.addEventListener("visibilitychange", take);
    return () => {
      document.removeEventListener("visibilitychange", take);
      void lock?.then((held) => held?.release());
    };
  }, []);
}
