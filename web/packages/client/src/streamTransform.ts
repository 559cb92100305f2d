import type { TrackSource } from "@conclave/wire";

/** A receiving slot, known before its mid is. */
export interface ReceivingSlot {
  readonly kind: "audio" | "video";
  /** Its place among the slots of its kind, from 0. */
  readonly index: number;
}

/**
 * Where frames are sealed and opened.
 *
 * Both are called synchronously right after `addTransceiver`: a transform that is attached later
 * is silently ignored by Chromium. The mid is not known then; `PeerLink.slotOf` tells it later.
 */
export interface StreamTransform {
  attachSender(sender: RTCRtpSender, source: TrackSource): void;
  attachReceiver(receiver: RTCRtpReceiver, slot: ReceivingSlot): void;
}

/** Leaves frames as they are. */
export const noTransform: StreamTransform = {
  attachSender: () => {},
  attachReceiver: () => {},
};
