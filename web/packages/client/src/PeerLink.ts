import type { Member, SlotRef } from "@conclave/e2ee";
import type { Mid, PictureDemand, Relay, TrackSource } from "@conclave/wire";

import { preferReceived, preferSent, type SentCodec } from "./codecs";
import { iceServers } from "./relay";
import { withOpusDtx, withOpusNack } from "./sdp";

/** What a {@link PeerLink} reports. */
export interface PeerEvents {
  /** Media flows. */
  onConnected(): void;
  /** Media no longer flows, and will not by itself. Reported once. */
  onLost(): void;
}

/** What a {@link PeerLink} is made of. */
export interface PeerOptions {
  readonly generation: number;
  /** Size of the pool of video slots to begin with. */
  readonly videoSlots: number;
  /** What the camera is sent in. */
  readonly cameraCodec: SentCodec;
  /** What relays media where none gets through directly, if that is known yet. */
  readonly relay: Relay | undefined;
  /** Seals what is sent and opens what comes in: there is no media without. */
  readonly member: Pick<Member, "attachSender" | "attachReceiver">;
  readonly events: PeerEvents;
}

/** One media session, as the call uses it. */
export interface Peer {
  readonly generation: number;
  /** Size of the pool of video slots. */
  readonly videoSlots: number;
  /** Whether an offer is out that has not been answered. */
  readonly isNegotiating: boolean;
  /** What relays media from here on, if anything does; for paths that are not looked for yet. */
  relayBy(relay: Relay | undefined): void;
  /** Makes the first {@link offer} ready, without looking for paths. */
  prepare(): void;
  /**
   * A session description to send: a fresh one, or the one that still waits for its answer.
   * From then on {@link mid} knows every sending section.
   */
  offer(): Promise<string>;
  /** The offer has been sent: from now on its answer is waited for, and not for ever. */
  awaitAnswer(): void;
  /** Takes the answer to the last offer. */
  answer(sdp: string): Promise<void>;
  /** Takes the last offer back: the server refused it, and what ran before still runs. */
  rollBack(): Promise<void>;
  /** What a sending section carries from here on; nothing is negotiated. */
  send(source: TrackSource, track: MediaStreamTrack | undefined): void;
  /**
   * Which of the pictures sent are shown to nobody, or small to all: the complete list. What is not
   * listed is encoded in full.
   */
  demand(pictures: readonly PictureDemand[]): void;
  /** The section that carries a source, once offered. */
  mid(source: TrackSource): Mid | undefined;
  /** Makes the pool of video slots larger; the next {@link offer} tells the server. */
  growVideo(slots: number): void;
  /** Which slot a receiving section is. */
  slotOf(mid: Mid): SlotRef | undefined;
  /** What a receiving slot plays. */
  receivingTrack(mid: Mid): MediaStreamTrack | undefined;
  /** Tracks of the audio slots, in order. */
  audioTracks(): readonly MediaStreamTrack[];
  /** Frames decoded so far by each video slot. */
  framesDecoded(): Promise<ReadonlyMap<Mid, number>>;
  close(): void;
}

/** TypeScript's library does not know the mode (WebRTC SVC). */
interface LayeredEncoding extends RTCRtpEncodingParameters {
  readonly scalabilityMode?: string;
}

/** Sound of this many others is heard at a time: the loudest. */
const AUDIO_SLOTS = 4;

/** How long a path may be interrupted before it is given up for a new one. */
const DISCONNECTED_PATIENCE_MS = 3_000;

/** From the offer to its answer, verified. The server answers every offer that it reads. */
const ANSWER_PATIENCE_MS = 10_000;

/** From the answer to media. ICE and DTLS take well under a second where they work. */
const CONNECT_PATIENCE_MS = 10_000;

/** Quarter, half and full size. The server forwards the one that fits a receiver. */
const CAMERA_LAYERS: readonly RTCRtpEncodingParameters[] = [
  { rid: "q", scaleResolutionDownBy: 4, maxBitrate: 150_000 },
  { rid: "h", scaleResolutionDownBy: 2, maxBitrate: 500_000 },
  { rid: "f", scaleResolutionDownBy: 1, maxBitrate: 1_700_000 },
];

/** Each layer in three temporal ones: without a mode, Chromium sends the lowest alone in VP9. */
const VP9_CAMERA_LAYERS: readonly LayeredEncoding[] = CAMERA_LAYERS.map((layer) => ({
  ...layer,
  scalabilityMode: "L1T3",
}));

/**
 * Text stays legible at this rate, and a slide change does not starve the cameras. Chromium sends
 * the Dependency Descriptor of a single encoding only where a mode is named.
 */
const SCREEN_LAYER: LayeredEncoding = { maxBitrate: 2_500_000, scalabilityMode: "L1T1" };

/** The sources that can be encoded in part. */
const PICTURES: readonly TrackSource[] = ["camera", "screen"];

/**
 * One generation of the media session: one `RTCPeerConnection`.
 *
 * It is the only place where senders and receivers come into being, and each is handed to the
 * member at once: nothing leaves unsealed. The client always offers: its four sending sections,
 * then a pool of receiving slots. What a slot carries, and who comes and goes, is told by
 * signalling; no description changes for it.
 */
export class PeerLink implements Peer {
  readonly generation: number;
  readonly #pc: RTCPeerConnection;
  readonly #options: PeerOptions;
  /** Where this page is from. */
  readonly #host: string;
  readonly #senders = new Map<TrackSource, RTCRtpTransceiver>();
  readonly #audio: RTCRtpTransceiver[] = [];
  readonly #video: RTCRtpTransceiver[] = [];
  #prepared: Promise<RTCSessionDescriptionInit> | undefined;
  #offered: Promise<string> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #answerTimer: ReturnType<typeof setTimeout> | undefined;
  #adjusted: Promise<void> = Promise.resolve();
  #over = false;

  /** `host` is the page's own, and the only one that is ever asked for anything. */
  constructor(options: PeerOptions, host: string) {
    this.generation = options.generation;
    this.#options = options;
    this.#host = host;
    this.#pc = new RTCPeerConnection({
      iceServers: iceServers(options.relay, host),
      bundlePolicy: "max-bundle",
    });
    this.#pc.addEventListener("connectionstatechange", () => this.#onState());
    this.#pc.addEventListener("iceconnectionstatechange", () => this.#onState());
    const { cameraCodec } = options;
    this.#addSender("microphone", "opus", []);
    this.#addSender(
      "camera",
      cameraCodec,
      cameraCodec === "vp9" ? VP9_CAMERA_LAYERS : CAMERA_LAYERS,
    );
    this.#addSender("screen", "vp8", [SCREEN_LAYER]);
    this.#addSender("screenAudio", "opus", []);
    for (let i = 0; i < AUDIO_SLOTS; i += 1) this.#addReceiver("audio", this.#audio);
    this.growVideo(options.videoSlots);
  }

  get videoSlots(): number {
    return this.#video.length;
  }

  get isNegotiating(): boolean {
    return this.#offered !== undefined;
  }

  relayBy(relay: Relay | undefined): void {
    if (this.#over) return;
    const configuration = this.#pc.getConfiguration();
    this.#pc.setConfiguration({ ...configuration, iceServers: iceServers(relay, this.#host) });
  }

  prepare(): void {
    this.#prepared = this.#pc.createOffer();
    // A failure shows when the offer is needed.
    this.#prepared.catch(() => {});
  }

  offer(): Promise<string> {
    this.#offered ??= this.#makeOffer();
    return this.#offered;
  }

  awaitAnswer(): void {
    if (this.#over || this.#offered === undefined) return;
    clearTimeout(this.#answerTimer);
    this.#answerTimer = setTimeout(() => this.#lost(), ANSWER_PATIENCE_MS);
  }

  async answer(sdp: string): Promise<void> {
    if (this.#pc.signalingState !== "have-local-offer") return;
    await this.#pc.setRemoteDescription({ type: "answer", sdp: withOpusDtx(sdp) });
    clearTimeout(this.#answerTimer);
    this.#offered = undefined;
    if (this.#pc.connectionState !== "connected") this.#giveUpIn(CONNECT_PATIENCE_MS);
    this.#preferScreenDetail();
  }

  async rollBack(): Promise<void> {
    clearTimeout(this.#answerTimer);
    this.#offered = undefined;
    if (this.#pc.signalingState !== "have-local-offer") return;
    await this.#pc.setLocalDescription({ type: "rollback" });
  }

  send(source: TrackSource, track: MediaStreamTrack | undefined): void {
    if (this.#over) return;
    const sender = this.#senders.get(source)?.sender;
    // It rejects only for a closed connection or a track of the wrong kind.
    sender?.replaceTrack(track ?? null).catch(() => this.#lost());
  }

  demand(pictures: readonly PictureDemand[]): void {
    const layers = new Map(pictures.map(({ mid, layers }) => [mid, layers]));
    for (const source of PICTURES) {
      const transceiver = this.#senders.get(source);
      if (transceiver === undefined) continue;
      const most = layers.get(transceiver.mid ?? "") ?? Number.POSITIVE_INFINITY;
      this.#adjust(transceiver.sender, ({ encodings }) => {
        const before = encodings.map(({ active }) => active);
        for (const [at, encoding] of encodings.entries()) encoding.active = at < most;
        return encodings.some(({ active }, at) => active !== before[at]);
      });
    }
  }

  mid(source: TrackSource): Mid | undefined {
    return this.#senders.get(source)?.mid ?? undefined;
  }

  growVideo(slots: number): void {
    if (this.#video.length < slots) this.#prepared = undefined;
    while (this.#video.length < slots) this.#addReceiver("video", this.#video);
  }

  receivingTrack(mid: Mid): MediaStreamTrack | undefined {
    const slots = [...this.#audio, ...this.#video];
    return slots.find((slot) => slot.mid === mid)?.receiver.track;
  }

  slotOf(mid: Mid): SlotRef | undefined {
    const { generation } = this;
    const audio = this.#audio.findIndex((slot) => slot.mid === mid);
    if (audio >= 0) return { generation, kind: "audio", index: audio };
    const video = this.#video.findIndex((slot) => slot.mid === mid);
    return video >= 0 ? { generation, kind: "video", index: video } : undefined;
  }

  audioTracks(): readonly MediaStreamTrack[] {
    return this.#audio.map((slot) => slot.receiver.track);
  }

  async framesDecoded(): Promise<ReadonlyMap<Mid, number>> {
    const frames = new Map<Mid, number>();
    if (this.#over) return frames;
    const report = await this.#pc.getStats();
    report.forEach((stats: RTCInboundRtpStreamStats) => {
      if (stats.type !== "inbound-rtp" || stats.kind !== "video") return;
      const mid = stats.mid ?? this.#midOfTrack(stats.trackIdentifier);
      if (mid !== undefined) frames.set(mid, stats.framesDecoded ?? 0);
    });
    return frames;
  }

  close(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#answerTimer);
    this.#pc.close();
  }

  #addSender(
    source: TrackSource,
    codec: "opus" | SentCodec,
    layers: readonly RTCRtpEncodingParameters[],
  ): void {
    const init: RTCRtpTransceiverInit = { direction: "sendonly" };
    if (layers.length > 0) init.sendEncodings = layers.map((layer) => ({ ...layer }));
    const transceiver = this.#pc.addTransceiver(codec === "opus" ? "audio" : "video", init);
    this.#options.member.attachSender(transceiver.sender, source);
    preferSent(transceiver, codec);
    this.#senders.set(source, transceiver);
  }

  #addReceiver(kind: "audio" | "video", pool: RTCRtpTransceiver[]): void {
    const transceiver = this.#pc.addTransceiver(kind, { direction: "recvonly" });
    const slot = { generation: this.generation, kind, index: pool.length };
    this.#options.member.attachReceiver(transceiver.receiver, slot);
    preferReceived(transceiver, kind);
    pool.push(transceiver);
  }

  async #makeOffer(): Promise<string> {
    const prepared = this.#prepared;
    this.#prepared = undefined;
    // Not `setLocalDescription()` alone: both browsers then take longer to hand the text out.
    await this.#pc.setLocalDescription(await (prepared ?? this.#pc.createOffer()));
    return withOpusNack(this.#pc.localDescription?.sdp ?? "");
  }

  /** Under pressure a screen drops frames, not legibility. Firefox does not know the setting. */
  #preferScreenDetail(): void {
    const sender = this.#senders.get("screen")?.sender;
    if (sender === undefined) return;
    this.#adjust(
      sender,
      (parameters: RTCRtpSendParameters & { degradationPreference?: string }) => {
        if (parameters.degradationPreference === "maintain-resolution") return false;
        parameters.degradationPreference = "maintain-resolution";
        return true;
      },
    );
  }

  /**
   * Changes how a sender encodes, after earlier changes have taken effect: a browser refuses
   * parameters that were read before the last ones were set. `change` says whether it changed any.
   */
  #adjust(sender: RTCRtpSender, change: (parameters: RTCRtpSendParameters) => boolean): void {
    this.#adjusted = this.#adjusted.then(async () => {
      if (this.#over) return;
      const parameters = sender.getParameters();
      // What it refuses stays as it was: more is sent than need be.
      if (change(parameters)) await sender.setParameters(parameters).catch(() => {});
    });
  }

  #onState(): void {
    if (this.#over) return;
    const { connectionState, iceConnectionState } = this.#pc;
    if (connectionState === "failed" || iceConnectionState === "failed") {
      this.#lost();
    } else if (iceConnectionState === "disconnected" || connectionState === "disconnected") {
      this.#giveUpIn(DISCONNECTED_PATIENCE_MS);
    } else if (connectionState === "connected") {
      clearTimeout(this.#timer);
      this.#options.events.onConnected();
    }
  }

  #giveUpIn(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lost(), delayMs);
  }

  #lost(): void {
    if (this.#over) return;
    this.close();
    this.#options.events.onLost();
  }

  #midOfTrack(track: string): Mid | undefined {
    return this.#video.find((slot) => slot.receiver.track.id === track)?.mid ?? undefined;
  }
}
