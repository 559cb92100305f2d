/**
 * A member of a meeting's group, as the page knows it.
 *
 * The member itself, its keys and every decision live in a worker; the page relays what server and
 * person say, and shows what comes back. Nothing here is a key.
 * @module
 */

import type {
  GroupCommand,
  GroupEvent,
  GroupNews,
  GroupRequest,
  GroupView,
  NodeFault,
  NodeStatement,
  TrackSource,
} from "@conclave/wire";

/** What a member reports, in order. */
export interface MemberEvents {
  /** Send this to the server, as `group`. */
  onRequest(request: GroupRequest): void;
  /** The whole group as it is now. */
  onView(view: GroupView): void;
  onEvent(event: GroupEvent): void;
  /** The worker died: keys and group are gone. The call ends and has to be joined anew. */
  onCrashed(): void;
}

/** What a member is made of. */
export interface MemberOptions {
  /** Base64url of 16 bytes, as in the link. */
  readonly meeting: string;
  /** The link's secret: base64url of 32 bytes, as in the link. */
  readonly secret: string;
  /** The constitution's text, as the server shows it. */
  readonly constitution: string;
  /** Its digest: base64url of 16 bytes, as in the link. */
  readonly digest: string;
  /** The meeting's host key, if this device holds it. */
  readonly hostKey: CryptoKey | undefined;
  /** Credential of the stay before a reload: a host removes the leaf that it left. */
  readonly previous: string | undefined;
  readonly events: MemberEvents;
}

/** A receiving slot of a media session. */
export interface SlotRef {
  readonly generation: number;
  readonly kind: "audio" | "video";
  /** Its place among the slots of its kind, from 0. */
  readonly index: number;
}

/** What the server says that a slot carries. A frame of another leaf or source is dropped. */
export interface SlotAssignment extends SlotRef {
  readonly leaf: number;
  readonly source: TrackSource;
}

/** How frames fared since the worker began, by reason where they were dropped. */
export interface FrameCounts {
  readonly sealed: number;
  readonly opened: number;
  /** Not sealed, so not sent. */
  readonly notSealed: Readonly<Record<string, number>>;
  /** Not opened, so not played. */
  readonly dropped: Readonly<Record<string, number>>;
  /** Those of `dropped` that came in a slot that carries somebody, by that one's leaf. */
  readonly droppedOf: Readonly<Record<number, Readonly<Record<string, number>>>>;
  readonly sealing: FrameCosts;
  readonly opening: FrameCosts;
}

/** What frames cost in one direction. */
export interface FrameCosts {
  readonly audio: FrameCost;
  readonly video: FrameCost;
}

/**
 * What frames of one kind cost: from the transform's call until it hands the frame on. Waiting for
 * news, and frames that were dropped, are not in it.
 */
export interface FrameCost {
  readonly frames: number;
  /** Milliseconds, by a clock that browsers make coarse. */
  readonly ms: number;
  /** What was in them. */
  readonly clearBytes: number;
  /** By how much the sealed ones are longer. */
  readonly addedBytes: number;
  /** How many frames took so many whole steps of `stepMs` milliseconds; the last: or more. */
  readonly steps: readonly number[];
  readonly stepMs: number;
}

export interface Member {
  /** Sets out for the door under this display name. Once. */
  begin(name: string): void;
  /** What the server said. */
  news(news: GroupNews): void;
  /** The socket is back and the session was resumed: what was missed is asked for. */
  reconnected(): void;
  command(command: GroupCommand): void;
  /** Whether a media node may be sent media, directly or relayed by these ways (`udp 3478`). */
  verifyAnswer(
    sdp: string,
    relay: readonly string[],
    statement: NodeStatement,
  ): Promise<NodeFault | undefined>;
  /** The leaf's signature over a socket's challenge; nothing if there is no leaf. */
  signResume(challenge: string): Promise<string | undefined>;
  /** The complete list of what a media session's slots carry. */
  assign(generation: number, slots: readonly SlotAssignment[]): void;
  /** Call it synchronously right after `addTransceiver`. Frames that cannot be sealed are not sent. */
  attachSender(sender: RTCRtpSender, source: TrackSource): void;
  /** Call it synchronously right after `addTransceiver`. */
  attachReceiver(receiver: RTCRtpReceiver, slot: SlotRef): void;
  frameCounts(): Promise<FrameCounts>;
  /** Ends the worker; keys are gone with it. */
  close(): void;
}
