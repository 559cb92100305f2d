/**
 * What sits between encoders and network, and between network and decoders. Whatever fails here
 * means one thing: the frame is dropped and counted. Nothing passes as it came.
 * @module
 */

import type { TrackSource } from "@conclave/wire";
import type { FrameKind } from "./FrameBook";
import type { Crypted, KeyKeeper } from "./KeyKeeper";
import type { SlotRef } from "./member";
import type { TransformOptions } from "./messages";

/** An encoded frame, audio or video, as `RTCRtpScriptTransformer` gives it. */
export interface EncodedFrame {
  data: ArrayBuffer;
  /** Video only. */
  readonly type?: string;
  getMetadata(): { readonly mimeType?: string };
}

/** A transformer, as far as it is needed: not every browser has every part. */
export interface Transformer {
  readonly readable: ReadableStream<EncodedFrame>;
  readonly writable: WritableStream<EncodedFrame>;
  readonly options: unknown;
  sendKeyFrameRequest?(): Promise<unknown>;
}

/**
 * How long a frame waits for the news that explains it. News travels by another way than media: a
 * packet of it that is lost on the way comes nearly half a second late, one that is lost twice less
 * than a second.
 */
const HOLD_MS = 1000;

/** How often a publisher is asked for a key frame at most. */
const KEY_FRAME_EVERY_MS = 1000;

/** What may be cured by news: of a commit, or of a slot. */
const MAY_PASS: ReadonlySet<string> = new Set([
  "noSlot",
  "notInGroup",
  "unknownEpoch",
  "wrongLeaf",
  "wrongTrack",
]);

/**
 * Dropped without a gap: what the slot carried before, what came twice, as probes do, and the last
 * that somebody sent who was removed.
 */
const IN_NOBODYS_WAY: ReadonlySet<string> = new Set(["earlier", "replayed", "revoked"]);

/** Connects a transformer to the keys. */
export function attach(keeper: KeyKeeper, transformer: Transformer): void {
  const options = transformer.options as TransformOptions;
  const transform: Transform =
    options.direction === "send"
      ? sealing(keeper, options.source)
      : opening(keeper, options.slot, transformer);
  transformer.readable
    .pipeThrough(new TransformStream({ transform }))
    .pipeTo(transformer.writable)
    // The sender or receiver was stopped.
    .catch(() => {});
}

type Transform = (
  frame: EncodedFrame,
  out: TransformStreamDefaultController<EncodedFrame>,
) => void | Promise<void>;

function sealing(keeper: KeyKeeper, source: TrackSource): Transform {
  const kind = source === "microphone" || source === "screenAudio" ? "audio" : "video";
  return (frame, out) => {
    const began = keeper.now();
    const clearLength = frame.data.byteLength;
    const sealed = keeper.seal(source, mediaType(frame, kind), frame.data);
    if (!sealed.frame) {
      keeper.frames.notSealed(sealed.why);
      return;
    }
    const sealedLength = sealed.frame.byteLength;
    pass(frame, sealed.frame, out);
    keeper.frames.sealed(kind, keeper.now() - began, clearLength, sealedLength);
  };
}

function opening(keeper: KeyKeeper, slot: SlotRef, transformer: Transformer): Transform {
  let mayHold = true;
  let lacksFrames = false;
  let askedAt = Number.NEGATIVE_INFINITY;

  const askForKeyFrame = (): void => {
    if (keeper.now() < askedAt + KEY_FRAME_EVERY_MS) return;
    askedAt = keeper.now();
    // It is asked again while frames are missing.
    transformer.sendKeyFrameRequest?.().catch(() => {});
  };

  return async (frame, out) => {
    let began = keeper.now();
    const type = mediaType(frame, slot.kind);
    const sealed = frame.data;
    const attempt = (): Crypted => tryToOpen(keeper, slot, type, sealed);
    let opened = attempt();
    if (!opened.frame && mayHold && MAY_PASS.has(opened.why)) {
      const until = keeper.now() + HOLD_MS;
      while (!opened.frame && MAY_PASS.has(opened.why) && keeper.now() < until) {
        await keeper.change(until - keeper.now());
        began = keeper.now();
        opened = attempt();
      }
      // One wait in vain is enough: what follows is as hopeless until something opens.
      mayHold = opened.frame !== undefined;
    }
    if (!opened.frame) {
      keeper.frames.dropped(opened.why, keeper.slots.carried(slot)?.leaf);
      if (!IN_NOBODYS_WAY.has(opened.why)) lacksFrames = true;
      return;
    }
    mayHold = true;
    if (frame.type === "key") lacksFrames = false;
    const [clearLength, sealedLength] = [opened.frame.byteLength, sealed.byteLength];
    pass(frame, opened.frame, out);
    keeper.frames.opened(slot.kind, keeper.now() - began, clearLength, sealedLength);
    if (lacksFrames && slot.kind === "video") askForKeyFrame();
  };
}

function tryToOpen(
  keeper: KeyKeeper,
  slot: SlotRef,
  mediaType: string,
  sealed: ArrayBuffer,
): Crypted {
  const now = keeper.slots.carried(slot);
  const opened: Crypted = now
    ? keeper.open(now.leaf, now.source, mediaType, sealed)
    : { frame: undefined, why: "noSlot" };
  if (opened.frame || !["noSlot", "wrongLeaf", "wrongTrack"].includes(opened.why)) return opened;
  // The last frames of whom the slot carried before are in nobody's way.
  const before = keeper.slots.carriedBefore(slot);
  if (!before) return opened;
  const late = keeper.open(before.leaf, before.source, mediaType, sealed);
  if (late.frame) return { frame: undefined, why: "earlier" };
  return MAY_PASS.has(late.why) ? opened : late;
}

/** What the browser says; where it says nothing, what is negotiated: Opus and VP8. */
function mediaType(frame: EncodedFrame, kind: FrameKind): string {
  return frame.getMetadata().mimeType ?? (kind === "audio" ? "audio/opus" : "video/VP8");
}

function pass(
  frame: EncodedFrame,
  data: Uint8Array,
  out: TransformStreamDefaultController<EncodedFrame>,
): void {
  // The module copies what it returns, so the bytes are a buffer's whole content.
  frame.data = data.buffer as ArrayBuffer;
  out.enqueue(frame);
}
