import { createMember, isSupported, type Member, type MemberOptions, warmUp } from "@conclave/e2ee";
import type { CameraCodec } from "@conclave/wire";

import { type AudioOutput, ElementOutput, listSpeakers } from "./audioOutput";
import { cameraCodecFor } from "./cameraCodec";
import type { SentCodec } from "./codecs";
import { type DeviceEvents, LocalDevices } from "./devices";
import { deviceHostKeys, type HostKeys } from "./hostKeys";
import { LevelMeter } from "./LevelMeter";
import { deriveKeys } from "./link";
import { fetchMeeting } from "./meetings";
import { type Peer, PeerLink, type PeerOptions } from "./PeerLink";
import { type ScreenEvents, ScreenShare } from "./ScreenShare";
import { type SignalEvents, SignalSocket } from "./SignalSocket";
import type { DeviceChoice } from "./snapshot";
import { canShareScreen } from "./support";

/** Everything of the world that a call touches; a test passes its own. */
export interface CallEnv {
  readonly deriveKeys: typeof deriveKeys;
  readonly fetchMeeting: typeof fetchMeeting;
  readonly hostKeys: Pick<HostKeys, "find">;
  /** Whether this browser can encrypt media from end to end. */
  readonly isSupported: () => boolean;
  /** Begins to load what a member is made of. */
  readonly warmUp: () => void;
  readonly createMember: (options: MemberOptions) => Member;
  readonly createSocket: (
    url: string,
    events: SignalEvents,
  ) => Pick<SignalSocket, "open" | "close" | "send" | "isUp">;
  readonly createPeer: (options: PeerOptions) => Peer;
  /** What this browser sends its camera in, if the server wants `wish`. */
  readonly cameraCodec: (wish: CameraCodec) => SentCodec;
  readonly createDevices: (
    events: DeviceEvents,
  ) => Pick<
    LocalDevices,
    "snapshot" | "live" | "heldMicrophone" | "prepare" | "set" | "select" | "stop" | "dispose"
  >;
  readonly createScreen: (
    events: ScreenEvents,
  ) => Pick<ScreenShare, "snapshot" | "videoTrack" | "audioTrack" | "start" | "stop">;
  readonly createOutput: (onBlocked: () => void) => AudioOutput;
  readonly listSpeakers: () => Promise<readonly DeviceChoice[]>;
  readonly createMeter: () => Pick<LevelMeter, "measure" | "level" | "close">;
  /** The tab's own storage. */
  readonly storage: Storage;
  readonly nowMs: () => number;
  readonly mark: (name: string) => void;
}

/** The browser. */
export function browserCallEnv(): CallEnv {
  return {
    deriveKeys,
    fetchMeeting,
    hostKeys: deviceHostKeys,
    isSupported,
    warmUp: () => void warmUp(),
    createMember,
    createSocket: (url, events) => new SignalSocket(url, events),
    createPeer: (options) => new PeerLink(options, location.hostname),
    cameraCodec: (wish) => cameraCodecFor(wish),
    createDevices: (events) =>
      new LocalDevices(events, { media: navigator.mediaDevices, storage: localStorage }),
    createScreen: (events) => {
      const capture = (options: DisplayMediaStreamOptions): Promise<MediaStream> =>
        navigator.mediaDevices.getDisplayMedia(options);
      return new ScreenShare(events, canShareScreen() ? capture : undefined);
    },
    createOutput: (onBlocked) => new ElementOutput(onBlocked),
    listSpeakers,
    createMeter: () => new LevelMeter(),
    storage: sessionStorage,
    nowMs: () => Date.now(),
    mark: (name) => performance.mark(name),
  };
}
