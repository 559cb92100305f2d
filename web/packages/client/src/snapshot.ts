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
  KnockView,
  MemberRole,
  MemberState,
  MuteWhat,
  NodeFault,
  ParticipantId,
  PersonProof,
  PublicationId,
  Reaction,
  ShieldView,
  TrackSource,
  Want,
} from "@conclave/wire";

/** One device's one stay in a meeting: its credential in the group. */
export type PersonId = string;

/** Where the call stands. Exactly one `kind` at a time. */
export type CallPhase =
  /** Before anything: the pre-join view. The socket is warmed up and devices are previewed. */
  | { readonly kind: "preparing" }
  /** Join was pressed. */
  | { readonly kind: "joining" }
  /** At the door: an admitter must let this device in, or a host must open the meeting. */
  | { readonly kind: "waiting"; readonly why: "admission" | "host" }
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
  /** The request to come in was turned away. `rejoin` asks again. */
  | { readonly kind: "denied" }
  /** Removed from the meeting by someone who may. `rejoin` asks to be let in again. */
  | { readonly kind: "removed" }
  /** The host closed the meeting. */
  | { readonly kind: "over" }
  /** Verification failed before this device came in: one of the `failed…` states. */
  | { readonly kind: "unverified"; readonly state: MemberState }
  /** The media node is not one that the meeting allows: nothing was sent to it. */
  | { readonly kind: "nodeRefused"; readonly fault: NodeFault }
  /** This browser cannot encrypt media from end to end. */
  | { readonly kind: "unsupported" }
  /** The worker that holds the keys died. `rejoin` comes in anew. */
  | { readonly kind: "crashed" }
  /** The session was taken up in another tab. */
  | { readonly kind: "replaced" }
  /** The server stayed out of reach for too long. `rejoin` may still work. */
  | { readonly kind: "unreachable" };

export interface CallSnapshot {
  readonly phase: CallPhase;
  /** The meeting's title, once known; empty if it has none. */
  readonly title: string;
  readonly self: SelfSnapshot;
  /** The others, as the group's tree has them, in the order in which they came in. */
  readonly others: readonly ParticipantSnapshot[];
  /** The one to feature: the last other person who spoke. */
  readonly activeSpeaker: PersonId | undefined;
  readonly group: GroupSnapshot;
  /** What was said, oldest first; what this person said too. Gone with the call. */
  readonly chat: readonly ChatMessage[];
  /** Raised hands, first raised first; this person's too. */
  readonly hands: readonly PersonId[];
  /** Reactions of the last few seconds, oldest first. */
  readonly reactions: readonly ShownReaction[];
  /** What happened, for a toast each; the interface dismisses them by `dismiss`. */
  readonly notices: readonly Notice[];
}

/** The meeting's group: all of it from the members' devices, none of it the server's word. */
export interface GroupSnapshot {
  /** `inGroup` when all is well. `forked`, `refused`, `stranded` and `suspended…`: nothing is sent. */
  readonly state: MemberState;
  readonly locked: boolean;
  /** Who asks to come in; for those who may let people in. */
  readonly knocks: readonly KnockView[];
  /** Six groups of five digits; it changes whenever someone comes or goes. */
  readonly safetyCode: string | undefined;
  readonly shield: ShieldView;
}

export interface ChatMessage {
  readonly id: number;
  readonly from: PersonId;
  /** The name at the time, from the sender's leaf. */
  readonly name: string;
  readonly role: MemberRole;
  readonly isOwn: boolean;
  readonly text: string;
  readonly atMs: number;
}

export interface ShownReaction {
  readonly id: number;
  readonly from: PersonId;
  readonly name: string;
  readonly reaction: Reaction;
}

/** How the group's tree has a person. */
export interface Membership {
  readonly role: MemberRole;
  readonly proof: PersonProof;
  /** Someone else has the same name. */
  readonly nameShared: boolean;
  /** What a host has forbidden. */
  readonly forbidden: readonly MuteWhat[];
}

export interface ParticipantSnapshot extends Membership {
  readonly id: PersonId;
  /** The server's number; nothing if the server does not list this member. */
  readonly participant: ParticipantId | undefined;
  /** The display name, from the person's leaf. */
  readonly name: string;
  /** Came while this device was there, a short while ago. */
  readonly arrived: boolean;
  /** On the way out: still has the keys until the next epoch. */
  readonly leaving: boolean;
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

export interface SelfSnapshot extends Membership {
  /** Nothing while outside. */
  readonly id: PersonId | undefined;
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
  /** What is meant, for `forbidden` and `allowed`. */
  readonly what?: MuteWhat;
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
  | "reconnected"
  /** Of the group's warnings, those that a person should know of. */
  | "silence"
  | "serverOverreach"
  | "withheld"
  | "stalled"
  /** A host asks to switch the microphone off. */
  | "askedToMute"
  /** A host forbade, or allowed again, to send something. */
  | "forbidden"
  | "allowed"
  /** What was wanted was not done. */
  | "notDone";

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
  /** Lets someone in who knocks. */
  admit(knocker: ParticipantId): void;
  /** Turns someone away who knocks. */
  deny(knocker: ParticipantId): void;
  /** Removes someone from the meeting. */
  kick(person: PersonId): void;
  /** Gives a role; `guest` takes it away. */
  appoint(person: PersonId, role: MemberRole): void;
  /** Forbids someone to send something, or allows it again. */
  forbid(person: PersonId, what: MuteWhat, on: boolean): void;
  /** Asks one person, or all, to switch the microphone off. */
  askToMute(person: PersonId | undefined): void;
  /** Lets nobody in, or lets people in again. */
  lock(locked: boolean): void;
  /** The safety code was read aloud and was the same. */
  codeCompared(): void;
  sendChat(text: string): void;
  react(reaction: Reaction): void;
  raiseHand(up: boolean): void;
  /** After `forked`, `refused` or `stranded`: comes in anew, if the person wants it. */
  rejoinGroup(): void;
  /** Frees devices, socket and peer connection. */
  dispose(): void;
}
