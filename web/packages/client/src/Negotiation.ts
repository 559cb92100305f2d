import type {
  Admitted,
  Answer,
  ClientMessage,
  Joined,
  Offer,
  ParticipantId,
  ParticipantInfo,
  Want,
} from "@conclave/wire";

import type { CallGroup } from "./CallGroup";
import type { CallMedia } from "./CallMedia";
import type { CallInput, CallState } from "./callMachine";
import type { MeetingLink } from "./link";
import type { CheckedMeeting } from "./MeetingCheck";
import type { OwnTracks } from "./OwnTracks";
import type { ViewWish } from "./ViewWish";

/** What a {@link Negotiation} is made of. */
export interface NegotiationOptions {
  readonly link: MeetingLink;
  readonly group: CallGroup;
  readonly media: CallMedia;
  readonly tracks: OwnTracks;
  readonly view: ViewWish;
  readonly nowMs: () => number;
  /** Sends it on the open socket; `false` if there is none. */
  readonly send: (message: ClientMessage) => boolean;
  /** Where the call stands. */
  readonly state: () => CallState;
  /** The meeting, once it was seen; nothing where none may be joined. */
  readonly meeting: () => Promise<CheckedMeeting | undefined>;
  /** The name to come in under. */
  readonly name: () => string;
  readonly onInput: (input: CallInput) => void;
  /** The server states everybody anew. */
  readonly onOthers: (others: readonly ParticipantInfo[]) => void;
}

/** What this device and the server agree on: its session, and the media session within. */
export class Negotiation {
  readonly #options: NegotiationOptions;
  #challenge = "";
  #resumeToken: string | undefined;
  #self: ParticipantId | undefined;
  /** `join` or `resume` went over this socket. */
  #hasAsked = false;
  /** Counts entries and offers: what an older one prepared is not sent. */
  #ticket = 0;
  /** The generation that the server was told of. */
  #offered = 0;
  /** The leaf that the server says is this device's, until the group says so. */
  #announcedLeaf: number | undefined;

  constructor(options: NegotiationOptions) {
    this.#options = options;
  }

  /** The server's number for this device. */
  get self(): ParticipantId | undefined {
    return this.#self;
  }

  /** Whether the server takes messages of the group from this socket. */
  get hasDoor(): boolean {
    const state = this.#options.state();
    if (state.kind === "inCall") return true;
    return "door" in state && (state.door === "outside" || state.door === "inside");
  }

  /** Whether the server knows the present media session, so that something can be said of it. */
  get isOffered(): boolean {
    return this.#isInside && this.#offered === this.#options.media.generation;
  }

  /** Another socket is open. */
  greeted(challenge: string): void {
    this.#challenge = challenge;
    this.#hasAsked = false;
    this.#announcedLeaf = undefined;
  }

  /** Says `resume` if that can work, otherwise `join`. */
  async enter(resumes: boolean, mediaWish: "keep" | "offer"): Promise<void> {
    const { link, group, media, tracks, meeting, send } = this.#options;
    const ticket = this.#take();
    const isCurrent = (): boolean => ticket === this.#ticket && this.#isAsked;
    const checked = await meeting();
    const resumeToken = resumes ? this.#resumeToken : undefined;
    const signature =
      resumeToken === undefined ? undefined : await group.signResume(this.#challenge);
    if (checked === undefined || !isCurrent()) return;
    if (resumeToken === undefined || signature === undefined) {
      // A leaf that the server does not know any more is given up for a new one.
      if (group.hasLeaf) group.close();
      const { presence } = tracks;
      tracks.entered(presence);
      const { token } = checked.keys;
      this.#hasAsked = send({ type: "join", meeting: link.id, token, presence });
      return;
    }
    const isFresh = mediaWish === "offer";
    const offer = isFresh || media.isNegotiating ? await this.#offer(isFresh) : null;
    if (!isCurrent()) return;
    const { presence } = tracks;
    tracks.entered(presence);
    const common = { meeting: link.id, resumeToken, signature, presence };
    this.#hasAsked = send({ type: "resume", ...common, offer });
    if (this.#hasAsked && offer !== null) media.awaitAnswer();
  }

  joined({ participant, resumeToken, admitted, answer, mediaAlive }: Joined): void {
    if (!this.#isAsked) return;
    this.#self = participant;
    this.#resumeToken = resumeToken;
    const { group, media, onInput, onOthers } = this.#options;
    if (admitted === null || !group.hasMember) {
      void this.#standAtDoor();
      return;
    }
    const answered = answer !== null && answer.generation === media.generation;
    media.relayBy(admitted.relay);
    onInput({ kind: "resumed", mediaAlive, answered });
    group.resumed();
    onOthers(admitted.others);
    this.#tellAll();
    if (answered) void this.answered(answer);
  }

  /** The server says that the group has this device. Whether it has, the group says. */
  admitted({ leaf, others, relay }: Admitted): void {
    if (!this.hasDoor) return;
    this.#options.media.relayBy(relay);
    this.#options.onOthers(others);
    this.#announcedLeaf = leaf;
    this.groupChanged();
  }

  /** Once server and group agree on this device's leaf, its media session is offered. */
  groupChanged(): void {
    const { group, onInput } = this.#options;
    if (this.#announcedLeaf === undefined || this.#announcedLeaf !== group.leaf) return;
    this.#announcedLeaf = undefined;
    onInput({ kind: "admitted" });
  }

  /** Takes an answer, if the meeting allows the node that gives it. */
  async answered({ generation, sdp, statement }: Answer): Promise<void> {
    const { group, media, nowMs, onInput } = this.#options;
    if (generation !== media.generation) return;
    try {
      const fault = await group.verifyAnswer(sdp, media.relayWays, statement);
      if (fault !== undefined) {
        onInput({ kind: "stopped", reason: { kind: "nodeRefused", fault } });
        return;
      }
      await media.answer(generation, sdp);
    } catch {
      if (generation === media.generation) onInput({ kind: "mediaLost", atMs: nowMs() });
      return;
    }
    this.#grow();
  }

  /** Makes a new media session and offers it. */
  async renew(): Promise<void> {
    const { media, tracks, nowMs, send, onInput } = this.#options;
    const ticket = this.#take();
    const offer = await this.#offer(true).catch(() => undefined);
    if (ticket !== this.#ticket || !this.#isInside) return;
    if (offer === undefined) onInput({ kind: "mediaLost", atMs: nowMs() });
    else if (send({ type: "offer", offer })) {
      media.awaitAnswer();
      tracks.offered(offer.tracks);
      this.#tellAll();
    }
  }

  /** Tells what is on display, and offers more slots where it needs more. */
  sendView(wants: readonly Want[]): boolean {
    if (!this.isOffered) return false;
    this.#grow();
    return this.#options.send({ type: "view", wants: [...wants] });
  }

  leave(): void {
    if (this.#hasAsked) this.#options.send({ type: "leave" });
  }

  /** What is on its way is not sent, and nothing can be resumed. */
  close(): void {
    this.#take();
    this.#resumeToken = undefined;
    this.#hasAsked = false;
    this.#announcedLeaf = undefined;
  }

  /** The server knows this device; whether it comes in is the group's to say. */
  async #standAtDoor(): Promise<void> {
    const { group, media, meeting, name, onInput, onOthers } = this.#options;
    const ticket = this.#ticket;
    const checked = await meeting();
    if (checked === undefined || ticket !== this.#ticket) return;
    onOthers([]);
    onInput({ kind: "atDoor" });
    media.begin(group.atDoor(checked, name()), checked.cameraCodec);
  }

  async #offer(isFresh: boolean): Promise<Offer> {
    const { media, view } = this.#options;
    if (isFresh) media.renew(view.slotsWanted);
    const sdp = await media.offer();
    const { generation } = media;
    this.#offered = generation;
    return { generation, sdp, tracks: media.tracks() };
  }

  /** Offers more video slots, if the view wants more than there are. */
  #grow(): void {
    const { media, view, send } = this.#options;
    if (!this.isOffered || !media.grow(view.slotsWanted)) return;
    const ticket = this.#take();
    void this.#offer(false).then((offer) => {
      if (ticket !== this.#ticket || !this.isOffered) return;
      if (send({ type: "offer", offer })) media.awaitAnswer();
    });
  }

  /** What the server does not know of this media session, or may have forgotten, is said. */
  #tellAll(): void {
    if (!this.isOffered) return;
    const { tracks, view } = this.#options;
    tracks.tell();
    view.forget();
    view.flush();
  }

  get #isAsked(): boolean {
    const state = this.#options.state();
    return "door" in state && state.door === "asked";
  }

  get #isInside(): boolean {
    const state = this.#options.state();
    return state.kind === "inCall" || ("door" in state && state.door === "inside");
  }

  #take(): number {
    this.#ticket += 1;
    return this.#ticket;
  }
}
