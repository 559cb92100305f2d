import type { CameraCodec } from "@conclave/wire";

import { isForwarded, type SentCodec } from "./codecs";

/** So many hardware threads encode three layers of VP9 beside all that a call takes. */
const ENOUGH_THREADS = 8;

/** The browser, as far as the choice of a codec depends on it; a test passes its own. */
export interface EncodingBrowser {
  readonly navigator: {
    readonly hardwareConcurrency?: number;
    /** Chromium and its kin alone say what they are made of (User-Agent Client Hints). */
    readonly userAgentData?: {
      readonly brands: readonly { readonly brand: string }[];
      /** Whether it is a phone's. */
      readonly mobile?: boolean;
    };
  };
  readonly RTCRtpSender?: Pick<typeof RTCRtpSender, "getCapabilities">;
}

/**
 * What this browser sends its camera in, if the server wants `wish`. VP9 gives sharper pictures for
 * the same bits and takes about twice the time to encode, so it is chosen where there is time, and
 * not on phones, whose battery pays for it.
 */
export function cameraCodecFor(
  wish: CameraCodec,
  browser: EncodingBrowser = globalThis,
): SentCodec {
  const { hardwareConcurrency = 1, userAgentData } = browser.navigator;
  const hasTime = hardwareConcurrency >= ENOUGH_THREADS && userAgentData?.mobile !== true;
  const isWanted = wish === "vp9" || (wish === "auto" && hasTime);
  return isWanted && encodesVp9Layers(browser) ? "vp9" : "vp8";
}

/**
 * Whether the browser sends VP9 in several sizes at once, each in its own. That cannot be asked:
 * Firefox lists VP9, takes the layers and then sends all of them in one size. So the engine decides
 * that it is known to work in, and the list of codecs whether this build of it has the encoder.
 */
function encodesVp9Layers({ navigator, RTCRtpSender }: EncodingBrowser): boolean {
  const isChromium = navigator.userAgentData?.brands.some(({ brand }) => brand === "Chromium");
  const codecs = RTCRtpSender?.getCapabilities("video")?.codecs ?? [];
  const hasVp9 = codecs.some(
    (codec) => codec.mimeType.toLowerCase() === "video/vp9" && isForwarded(codec),
  );
  return isChromium === true && hasVp9;
}
