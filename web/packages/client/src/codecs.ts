/** A codec that pictures are sent in. */
export type SentCodec = "vp8" | "vp9";

/**
 * What is sent, first choice first, with its retransmissions (`rtx`). A short list also makes a short
 * description, and joining is as fast as that is parsed. Behind VP9 stands what a browser goes on
 * with if its encoder fails.
 */
const SENT: Readonly<Record<"opus" | SentCodec, readonly string[]>> = {
  opus: ["audio/opus"],
  vp8: ["video/vp8", "video/rtx"],
  vp9: ["video/vp9", "video/vp8", "video/rtx"],
};

/** What a slot takes, whoever it shows at the moment. */
const RECEIVED: Readonly<Record<"audio" | "video", readonly string[]>> = {
  audio: ["audio/opus"],
  video: ["video/vp8", "video/vp9", "video/rtx"],
};

/** Has a sending section prefer this codec. */
export function preferSent(transceiver: RTCRtpTransceiver, codec: "opus" | SentCodec): void {
  prefer(transceiver, codec === "opus" ? "audio" : "video", SENT[codec]);
}

/** Has a receiving section take all codecs that anybody sends. */
export function preferReceived(transceiver: RTCRtpTransceiver, kind: "audio" | "video"): void {
  prefer(transceiver, kind, RECEIVED[kind]);
}

/** Whether it is a codec that the server forwards: of VP9's profiles, that is the first alone. */
export function isForwarded({ mimeType, sdpFmtpLine = "" }: RTCRtpCodec): boolean {
  const profile = /(?:^|;)\s*profile-id=(\d+)/.exec(sdpFmtpLine)?.[1] ?? "0";
  return mimeType.toLowerCase() !== "video/vp9" || profile === "0";
}

function prefer(
  transceiver: RTCRtpTransceiver,
  kind: "audio" | "video",
  wanted: readonly string[],
): void {
  const known = (RTCRtpReceiver.getCapabilities(kind)?.codecs ?? []).filter(isForwarded);
  const codecs = wanted.flatMap((mime) =>
    known.filter(({ mimeType }) => mimeType.toLowerCase() === mime),
  );
  if (codecs.length > 0) transceiver.setCodecPreferences(codecs);
}
