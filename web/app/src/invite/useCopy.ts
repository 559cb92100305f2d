import { useEffect, useState } from "react";

/** How long a button says that it has copied. */
const SAID_MS = 2_500;

/** Where a copy stands; `refused` by a browser that wants it done by hand. */
export type CopyState = "idle" | "copied" | "refused";

/** Copies a text when the function returned is called, and tells for a moment that it has. */
export function useCopy(text: string, onCopied: () => void): readonly [CopyState, () => void] {
  const [state, setState] = useState<CopyState>("idle");
  useEffect(() => {
    if (state !== "copied") return undefined;
    const timer = setTimeout(() => setState("idle"), SAID_MS);
    return () => clearTimeout(timer);
  }, [state]);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      setState("copied");
      onCopied();
    } catch {
      setState("refused");
    }
  };
  return [state, () => void copy()];
}
