/** Something that a call needs and this browser lacks. */
export type MissingFeature =
  /** The page did not come by HTTPS: browsers then hide cameras and cryptography. */
  "secureContext" | "cryptography" | "mediaDevices" | "webRtc" | "webSocket";

/** What this browser lacks for a call; empty if it can take part. */
export function missingFeatures(scope: typeof globalThis = globalThis): readonly MissingFeature[] {
  const checks: Readonly<Record<MissingFeature, boolean>> = {
    secureContext: scope.isSecureContext === true,
    cryptography: typeof scope.crypto?.subtle?.deriveKey === "function",
    mediaDevices: typeof scope.navigator?.mediaDevices?.getUserMedia === "function",
    webRtc:
      typeof scope.RTCPeerConnection?.prototype?.addTransceiver === "function" &&
      typeof scope.RTCRtpSender?.prototype?.replaceTrack === "function" &&
      typeof scope.RTCRtpTransceiver?.prototype?.setCodecPreferences === "function",
    webSocket: typeof scope.WebSocket === "function",
  };
  const features = Object.keys(checks) as MissingFeature[];
  return features.filter((feature) => !checks[feature]);
}

/** Whether this browser can share a screen; phones cannot. */
export function canShareScreen(scope: typeof globalThis = globalThis): boolean {
  return typeof scope.navigator?.mediaDevices?.getDisplayMedia === "function";
}

/** Whether this browser can choose the loudspeaker. */
export function canChooseSpeaker(scope: typeof globalThis = globalThis): boolean {
  return "setSinkId" in (scope.HTMLMediaElement?.prototype ?? {});
}
