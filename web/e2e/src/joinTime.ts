/**
 * From the click on Join to the first decoded frame of somebody else.
 * @module
 */

import type { Tab } from "./tab.ts";
import { type Patience, until } from "./until.ts";

/** The first frame of somebody else that a page decoded. */
export interface FirstFrame {
  /** Milliseconds since the click on Join. */
  readonly tookMs: number;
  readonly width: number;
}

declare global {
  var firstFrameSeen: FirstFrame | undefined;
}

/** The first frame of a page that was opened with {@link watchJoin}, once there is one. */
export function firstFrame(tab: Tab, patience?: Patience): Promise<FirstFrame> {
  return until(
    `the first frame in ${tab.label}`,
    () => tab.evaluate(() => globalThis.firstFrameSeen),
    patience,
  );
}

/**
 * Runs in the page, before its scripts: from the click on a button that submits, to the first frame
 * that a receiving slot decodes.
 */
export function watchJoin(): void {
  const watch = async (started: number): Promise<void> => {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      for (const peer of globalThis.conclaveProbe.peers) {
        for (const { direction, receiver } of peer.getTransceivers()) {
          if (direction !== "recvonly" || receiver.track.kind !== "video" || receiver.track.muted)
            continue;
          const report = await receiver.getStats();
          report.forEach((entry) => {
            if (entry.type !== "inbound-rtp" || (entry.framesDecoded ?? 0) === 0) return;
            const width = entry.frameWidth ?? 0;
            globalThis.firstFrameSeen ??= { tookMs: performance.now() - started, width };
          });
          if (globalThis.firstFrameSeen !== undefined) return;
        }
      }
    }
  };
  const start = ({ target }: MouseEvent): void => {
    if (!(target instanceof Element) || target.closest("button[type=submit]") === null) return;
    removeEventListener("click", start, { capture: true });
    void watch(performance.now());
  };
  addEventListener("click", start, { capture: true });
}
