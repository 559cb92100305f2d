/**
 * Finds where pictures stood still and sound was missing, as the person in front of them sees and
 * hears it.
 * @module
 */

import type { Tab } from "./tab.ts";

/** A time without a new frame of somebody's camera. */
export interface Gap {
  /** Whose picture stood still: the accessible name of the tile. */
  readonly name: string;
  /** When the last frame before it was shown: milliseconds since 1970. */
  readonly sinceMs: number;
  /** The same in milliseconds since the page was opened, as in the log of its traffic. */
  readonly pageMs: number;
  readonly ms: number;
}

/** What {@link watchPictures} leaves in the page. */
interface GapBook {
  /** The gaps so far, those that go on included. */
  gaps(): Gap[];
}

/** A time without sound that had come from somebody. */
export type SoundGap = Pick<Gap, "sinceMs" | "ms">;

/** What {@link watchSound} leaves in the page. */
interface SoundGapBook {
  /** The gaps so far, one that goes on included. */
  gaps(): SoundGap[];
}

declare global {
  var conclaveGaps: GapBook;
  var conclaveSoundGaps: SoundGapBook;
}

/** The gaps that a page has seen since it was opened with {@link watchPictures}. */
export function gaps(tab: Tab): Promise<Gap[]> {
  return tab.evaluate(() => conclaveGaps.gaps());
}

/** The gaps that a page has heard since it was opened with {@link watchSound}. */
export function soundGaps(tab: Tab): Promise<SoundGap[]> {
  return tab.evaluate(() => conclaveSoundGaps.gaps());
}

/** Runs in the page, before its scripts. It must not refer to anything outside itself. */
export function watchPictures(): void {
  /** Shorter ones are of no interest. */
  const leastMs = 200;
  /** From frame to frame of the cameras that tests paint. */
  const frameMs = 1000 / 15;
  const shownAt = new Map<string, number>();
  const found: Gap[] = [];

  const gap = (name: string, from: number, ms: number): Gap => ({
    name,
    sinceMs: performance.timeOrigin + from,
    pageMs: Math.round(from),
    ms: Math.round(ms),
  });

  /** `missed` frames were shown while the page was too busy to be told of each. */
  const noteFrame = (name: string, missed: number) => {
    const now = performance.now();
    const before = shownAt.get(name);
    shownAt.set(name, now);
    if (before === undefined) return;
    const ms = now - before - missed * frameMs;
    if (ms >= leastMs) found.push(gap(name, before, ms));
  };

  const watch = (video: HTMLVideoElement) => {
    let presented = 0;
    const note = (_: number, { presentedFrames }: VideoFrameCallbackMetadata) => {
      const name = video.closest('[data-testid="tile"]')?.getAttribute("aria-label");
      const missed = presented === 0 ? 0 : Math.max(0, presentedFrames - presented - 1);
      presented = presentedFrames;
      if (name) noteFrame(name, missed);
      video.requestVideoFrameCallback(note);
    };
    video.requestVideoFrameCallback(note);
  };

  const watched = new WeakSet<HTMLVideoElement>();
  setInterval(() => {
    const tiles = '[data-testid="tile"][data-kind="camera"] video';
    for (const video of document.querySelectorAll<HTMLVideoElement>(tiles)) {
      if (watched.has(video)) continue;
      watched.add(video);
      watch(video);
    }
  }, 100);

  globalThis.conclaveGaps = {
    gaps: () => {
      const now = performance.now();
      const open = [...shownAt].filter(([, at]) => now - at >= leastMs);
      return [...found, ...open.map(([name, at]) => gap(name, at, now - at))];
    },
  };
}

/**
 * Runs in the page, before its scripts. It must not refer to anything outside itself. What a browser
 * makes up for sound that did not come does not count. The silence of somebody who sends nothing
 * meanwhile is a gap, too.
 */
export function watchSound(): void {
  /** Shorter ones are of no interest. */
  const leastMs = 200;
  const found: SoundGap[] = [];
  let heard = 0;
  let heardAt: number | undefined;

  const samplesPlayed = async () => {
    let played = 0;
    for (const peer of conclaveProbe.peers) {
      (await peer.getStats()).forEach((entry: RTCInboundRtpStreamStats) => {
        if (entry.type !== "inbound-rtp" || entry.kind !== "audio") return;
        played += entry.jitterBufferEmittedCount ?? 0;
      });
    }
    return played;
  };

  /** The gap that goes on, if one does. */
  const open = (): SoundGap[] => {
    if (heardAt === undefined) throw new Error("there was no sound yet");
    const ms = Math.round(performance.now() - heardAt);
    return ms < leastMs ? [] : [{ sinceMs: performance.timeOrigin + heardAt, ms }];
  };

  const listen = async () => {
    const now = await samplesPlayed();
    if (now !== heard) {
      if (heardAt !== undefined) found.push(...open());
      heard = now;
      heardAt = performance.now();
    }
    setTimeout(listen, 40);
  };
  void listen();

  globalThis.conclaveSoundGaps = { gaps: () => [...found, ...open()] };
}
