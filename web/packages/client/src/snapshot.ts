/**
 * What the interface sees of a call, and what it may ask of it.
 *
 * A {@link CallSnapshot} is immutable; parts that did not change keep their identity, so a view
 * can compare by reference. Nothing here knows React.
 * @module
 */

import type {
  ConnectionQuality,
  ErrorCode,
  ParticipantId,
  PublicationId,
  TrackSource,
  Want,
} from "@conclave/wire";

/** Where the call stands. Exactly one `kind` at a time. */
export type CallPhase =
  /** Before anything: the pre-join view. The socket is warmed up and devices are previewed. */
  | { readonly kind: "preparing" }
  /** Join was pressed. */
  | { readonly kind: "joining" }
  | { readonly kind: "inCall" }
  /** The link to the server or the media path is lost; the client comes back by itself. */
  | { readonly kind: "reconnecting"; readonly sinceMs: number; readonly attempt: number }
  | { readonly kind: "ended"; readonly reason: EndReason };

export type EndReason =
  | { readonly kind: "left" }
  /** The server refused. */
  | { readonly kind: "refused"; readonly code: ErrorCode }
  /** The policy on the server is not the one that the link names: somebody changed it. */
  | { readonly kind: "policyMismatch" }
  /** The session was taken up in another tab. */
  | { readonly kind: "replaced" }
  /** The server stayed out of reach for too long. `rejoin` may still work. */
  | { readonly kind: "unreachable" };

export interface CallSnapshot {
  readonly phase: CallPhase;
  /** The meeting's title, once known; empty if it has none. */
  readonly title: string;
  readonly self: SelfSnapshot;
  /** The others, in the order in which they joined. */
  readonly others: readonly ParticipantSnapshot[];
  /** The one to feature: the last other person who spoke. */
  readonly activeSpeaker: ParticipantId | undefined;
  /** What happened, for a toast each; the interface dismisses them by `dismiss`. */
  readonly notices: readonly Notice[];
}

export interface ParticipantSnapshot {
  readonly id: ParticipantId;
  /** The display name; empty if it could not be opened. */
  readonly name: string;
  readonly muted: boolean;
  readonly speaking: boolean;
  /** Its device is connected; if not, it has some seconds to come back. */
  readonly connected: boolean;
  readonly quality: ConnectionQuality;
  readonly camera: VideoSnapshot | undefined;
  readonly screen: VideoSnapshot | undefined;
  readonly screenAudio: boolean;
}

export interface VideoSnapshot {
  readonly publication: PublicationId;
  readonly source: Extract<TrackSource, "camera" | "screen">;
  /** The picture, while a slot carries it. Attach it to a `<video>` by {@link MediaStream}. */
  readonly stream: MediaStream | undefined;
  /** `waiting`: not in view, or its first frame has not come; `paused`: too little bandwidth. */
  readonly state: "waiting" | "live" | "paused";
}

export interface SelfSnapshot {
  readonly id: ParticipantId | undefined;
  readonly name: string;
  readonly quality: ConnectionQuality;
  readonly speaking: boolean;
  readonly microphone: DeviceSnapshot;
  readonly camera: DeviceSnapshot;
  /** The own camera's picture for preview and self-view, while it is on. */
  readonly cameraStream: MediaStream | undefined;
  readonly screen: ScreenSnapshot;
}

/** A microphone or a camera as its toggle and its menu need to know it. */
export interface DeviceSnapshot {
  readonly state:
    | { readonly kind: "on" }
    | { readonly kind: "off" }
    /** Being switched on: permission may be asked for right now. */
    | { readonly kind: "starting" }
    | { readonly kind: "blocked"; readonly why: DeviceBlock };
  /** Devices to choose from; empty before permission. */
  readonly devices: readonly DeviceChoice[];
  /** `deviceId` of the one in use or to be used. */
  readonly selected: string | undefined;
}

export type DeviceBlock = "noPermission" | "noDevice" | "inUse" | "failed";

export interface DeviceChoice {
  readonly deviceId: string;
  readonly label: string;
}

export type ScreenSnapshot =
  | { readonly kind: "off" }
  | { readonly kind: "starting" }
  | { readonly kind: "on"; readonly stream: MediaStream; readonly withAudio: boolean }
  /** This browser cannot share a screen (phones). */
  | { readonly kind: "unsupported" };

export interface Notice {
  readonly id: number;
  readonly kind: NoticeKind;
  /** Name of the person it is about, where there is one. */
  readonly name?: string;
}

export type NoticeKind =
  | "joined"
  | "left"
  | "cameraFailed"
  | "cameraLost"
  | "microphoneFailed"
  | "microphoneLost"
  | "screenFailed"
  | "screenStopped"
  | "speakingWhileMuted"
  | "audioBlocked"
  | "reconnected";

/** What the interface may ask of a call. */
export interface CallCommands {
  /** Called on every change with the new snapshot; returns how to stop. */
  subscribe(listener: () => void): () => void;
  snapshot(): CallSnapshot;
  /** Asks for camera and microphone for the pre-join view. */
  prepare(wish: { readonly microphone: boolean; readonly camera: boolean }): Promise<void>;
  setName(name: string): void;
  join(): void;
  /** After `ended`: tries again. */
  rejoin(): void;
  leave(): void;
  setMicrophone(on: boolean): void;
  setCamera(on: boolean): void;
  selectMicrophone(deviceId: string): void;
  selectCamera(deviceId: string): void;
  /** Loudspeakers; `[]` where the browser cannot choose. */
  speakers(): readonly DeviceChoice[];
  selectSpeaker(deviceId: string): void;
  startScreen(): void;
  stopScreen(): void;
  /** The video publications on display; the call grows its pool of slots to fit. */
  setView(wants: readonly Want[]): void;
  /** Level of the own microphone, 0 to 1, for a meter; read it each animation frame. */
  microphoneLevel(): number;
  /** Plays a short sound on the chosen loudspeaker. */
  testSpeaker(): void;
  /** After `audioBlocked`: resumes sound; call it from a user gesture. */
  resumeAudio(): void;
  dismiss(noticeId: number): void;
  /** Frees devices, socket and peer connection. */
  dispose(): void;
}
