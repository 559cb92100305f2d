import type {
  Admitted,
  Answer,
  ClientMessage,
  GroupCommand,
  GroupView,
  Joined,
  MemberRole,
  MuteWhat,
  Offer,
  ParticipantId,
  Reaction,
  ServerMessage,
  Want,
} from "@conclave/wire";

import { CallGroup } from "./CallGroup";
import { CallMedia } from "./CallMedia";
import { browserCallEnv, type CallEnv } from "./callEnv";
import {
  type CallEffect,
  type CallInput,
  type CallState,
  type Door,
  PATIENCE_MS,
  patienceOf,
  step,
} from "./callMachine";
import { cleanName } from "./displayText";
import { forgetLink, keepLink, type MeetingLink } from "./link";
import { type CheckedMeeting, checkMeeting } from "./MeetingCheck";
import { NoticeBoard } from "./NoticeBoard";
import { OwnTalk } from "./OwnTalk";
import { OwnTracks } from "./OwnTracks";
import { OwnVoice } from "./OwnVoice";
import { People } from "./People";
import { forgetSession } from "./session";
import { share } from "./share";
import type {
  CallCommands,
  CallPhase,
  CallSnapshot,
  DeviceChoice,
  NoticeKind,
  PersonId,
} from "./snapshot";
import { Talk } from "./Talk";
import { ViewWish } from "./ViewWish";

/** What a {@link Call} is made of. */
export interface CallOptions {
  readonly link: MeetingLink;
  /** The display name to begin with. */
  readonly name?: string;
  readonly env?: CallEnv;
}

/** A reconnection shorter than this went unnoticed, so it is not announced. */
const NOTICEABLE_MS = 1_500;

/**
 * One person's side of a call: commands in, snapshots out.
 *
 * {@link step} decides, this class does: it owns socket, peer connection, devices and the member
 * of the meeting's group, feeds what they report to the machine, and carries out the effects.
 */
export class Call implements CallCommands {
  readonly #link: MeetingLink;
  readonly #env: CallEnv;
  readonly #socket: ReturnType<CallEnv["createSocket"]>;
  readonly #devices: ReturnType<CallEnv["createDevices"]>;
  readonly #screen: ReturnType<CallEnv["createScreen"]>;
  readonly #output: ReturnType<CallEnv["createOutput"]>;
  readonly #meter: ReturnType<CallEnv["createMeter"]>;
  readonly #group: CallGroup;
  readonly #media: CallMedia;
  readonly #tracks: OwnTracks;
  readonly #view: ViewWish;
  readonly #voice: OwnVoice;
  readonly #people: People;
  readonly #board = new NoticeBoard();
  readonly #talk: Talk;
  readonly #say: OwnTalk;
  readonly #listeners = new Set<() => void>();

  #state: CallState = { kind: "preparing", socket: "down" };
  #check = new AbortController();
  #checked: Promise<CheckedMeeting> | undefined;
  #name: string;
  #title = "";
  #challenge = "";
  /** `join` or `resume` went over this socket. */
  #hasAsked = false;
  #resumeToken: string | undefined;
  #self: ParticipantId | undefined;
  #speakers: readonly DeviceChoice[] = [];
  #listedWith: readonly DeviceChoice[] | undefined;
  /** Counts entries and offers: what an older one prepared is not sent. */
  #ticket = 0;
  /** The media session that the server was told of. */
  #offered = 0;
  /** What was on when the call ended, for `rejoin`. */
  #wish = { microphone: false, camera: false };
  #patience: ReturnType<typeof setTimeout> | undefined;
  #renewal: ReturnType<typeof setTimeout> | undefined;
  #settling: ReturnType<typeof setTimeout> | undefined;
  #isDisposed = false;

  #snapshot: CallSnapshot;
  #isStale = false;
  /** Listeners are told once for all changes of a turn. */
  #isTelling = false;

  constructor({ link, name = "", env = browserCallEnv() }: CallOptions) {
    this.#link = link;
    this.#env = env;
    this.#name = cleanName(name);
    const url = `${link.origin.replace(/^http/, "ws")}/api/v1/signal`;
    this.#socket = env.createSocket(url, {
      onUp: (challenge) => {
        this.#challenge = challenge;
        this.#hasAsked = false;
        this.#input({ kind: "socketUp" });
      },
      onDown: () => this.#input({ kind: "socketDown", atMs: env.nowMs() }),
      onMessage: (message) => this.#onMessage(message),
    });
    this.#devices = env.createDevices({
      onChange: () => this.#onDevices(),
      onLost: (kind) => this.#notice(kind === "camera" ? "cameraLost" : "microphoneLost"),
      onFailed: (kind) => this.#notice(kind === "camera" ? "cameraFailed" : "microphoneFailed"),
    });
    this.#screen = env.createScreen({
      onChange: () => this.#onDevices(),
      onStopped: () => this.#notice("screenStopped"),
      onFailed: () => this.#notice("screenFailed"),
    });
    this.#output = env.createOutput(() => this.#notice("audioBlocked"));
    this.#meter = env.createMeter();
    this.#people = new People(env.nowMs);
    this.#group = new CallGroup({
      link,
      env,
      send: (request) => this.#hasDoor() && this.#send({ type: "group", request }),
      events: {
        onView: (view) => this.#onGroup(view),
        onEvent: (event) => {
          this.#say.hear(event);
          this.#changed();
        },
        onOut: (reason) => this.#input({ kind: "stopped", reason }),
        onWaits: (why) => this.#input({ kind: "waits", why, atMs: env.nowMs() }),
      },
    });
    this.#media = new CallMedia({
      env,
      output: this.#output,
      ownerOf: (publication) => this.#people.ownerOf(publication),
      events: {
        onConnected: () => this.#input({ kind: "mediaUp" }),
        onLost: () => {
          this.#people.speakers(null, [], this.#self);
          this.#input({ kind: "mediaLost", atMs: env.nowMs() });
        },
        onPicture: () => this.#changed(),
      },
    });
    this.#tracks = new OwnTracks({
      devices: this.#devices,
      screen: this.#screen,
      media: this.#media,
      send: (message) => this.#send(message),
    });
    this.#view = new ViewWish({
      living: (wants) => wants.filter(({ publication }) => this.#people.videos().has(publication)),
      send: (wants) => this.#sendView(wants),
    });
    const isHeard = (): boolean => this.#devices.live("microphone") !== undefined;
    this.#voice = new OwnVoice({
      level: () => this.#meter.level(),
      isLive: isHeard,
      nowMs: env.nowMs,
      onChange: () => this.#changed(),
      onUnheard: () => this.#notice("speakingWhileMuted"),
    });
    this.#talk = new Talk({ nowMs: env.nowMs, onChange: () => this.#changed() });
    const { board, talk, group } = { board: this.#board, talk: this.#talk, group: this.#group };
    this.#say = new OwnTalk({ group, talk, board, isHeard });
    this.#prepare();
    this.#snapshot = this.#build();
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  snapshot(): CallSnapshot {
    if (this.#isStale) {
      this.#isStale = false;
      this.#snapshot = share(this.#snapshot, this.#build());
    }
    return this.#snapshot;
  }

  async prepare(wish: { readonly microphone: boolean; readonly camera: boolean }): Promise<void> {
    await this.#devices.prepare(wish);
  }

  setName(name: string): void {
    // The name is sealed in this device's leaf for the whole stay.
    if (this.#group.hasMember) return;
    this.#name = cleanName(name);
    this.#changed();
  }

  join(): void {
    this.#env.mark("conclave:join");
    keepLink(this.#link, this.#env.storage);
    this.#input({ kind: "joinPressed" });
  }

  rejoin(): void {
    if (this.#state.kind !== "ended" || !this.#env.isSupported()) return;
    this.#env.mark("conclave:join");
    keepLink(this.#link, this.#env.storage);
    this.#board.clear();
    this.#input({ kind: "rejoinPressed" });
    void this.prepare(this.#wish);
  }

  leave(): void {
    this.#input({ kind: "leavePressed" });
  }

  setMicrophone(on: boolean): void {
    if (on && this.#isForbidden("microphone")) return;
    this.#board.retract(on ? "speakingWhileMuted" : "askedToMute");
    void this.#devices.set("microphone", on);
  }

  setCamera(on: boolean): void {
    if (on && this.#isForbidden("camera")) return;
    void this.#devices.set("camera", on);
  }

  selectMicrophone(deviceId: string): void {
    void this.#devices.select("microphone", deviceId);
  }

  selectCamera(deviceId: string): void {
    void this.#devices.select("camera", deviceId);
  }

  speakers(): readonly DeviceChoice[] {
    return this.#speakers;
  }

  selectSpeaker(deviceId: string): void {
    this.#output.selectSpeaker(deviceId);
  }

  startScreen(): void {
    if (!this.#isForbidden("screen")) void this.#screen.start();
  }

  stopScreen(): void {
    this.#screen.stop();
  }

  setView(wants: readonly Want[]): void {
    this.#view.set(wants);
  }

  microphoneLevel(): number {
    return this.#meter.level();
  }

  testSpeaker(): void {
    this.#output.test();
  }

  resumeAudio(): void {
    this.#board.retract("audioBlocked");
    this.#output.resume();
    this.#changed();
  }

  dismiss(noticeId: number): void {
    this.#board.dismiss(noticeId);
    this.#changed();
  }

  admit(knocker: ParticipantId): void {
    this.#command({ type: "admit", knocker });
  }

  deny(knocker: ParticipantId): void {
    this.#command({ type: "deny", knocker });
  }

  kick(person: PersonId): void {
    this.#command({ type: "kick", credential: person });
  }

  appoint(person: PersonId, role: MemberRole): void {
    this.#command({ type: "appoint", credential: person, role });
  }

  forbid(person: PersonId, what: MuteWhat, on: boolean): void {
    this.#command({ type: "mute", credential: person, what, on });
  }

  askToMute(person: PersonId | undefined): void {
    this.#command({ type: "say", say: { type: "askMute", credential: person ?? null } });
  }

  lock(locked: boolean): void {
    this.#command({ type: "lock", locked });
  }

  codeCompared(): void {
    this.#command({ type: "codeCompared" });
  }

  rejoinGroup(): void {
    this.#command({ type: "rejoin" });
  }

  sendChat(text: string): void {
    this.#say.chat(text);
    this.#changed();
  }

  react(reaction: Reaction): void {
    this.#say.react(reaction);
    this.#changed();
  }

  raiseHand(up: boolean): void {
    this.#say.raiseHand(up);
    this.#changed();
  }

  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#listeners.clear();
    clearTimeout(this.#patience);
    this.#close();
    this.#devices.dispose();
    this.#meter.close();
  }

  // What happened.

  #input(input: CallInput): void {
    if (this.#isDisposed) return;
    const before = this.#state;
    const [after, effects] = step(before, input);
    this.#state = after;
    this.#onState(before, after);
    for (const effect of effects) this.#carryOut(effect);
    this.#changed();
  }

  #onState(before: CallState, after: CallState): void {
    const patience = patienceOf(after);
    if (patience !== patienceOf(before)) {
      clearTimeout(this.#patience);
      const onEnd = (): void => this.#input({ kind: "patienceEnded" });
      if (patience !== undefined) this.#patience = setTimeout(onEnd, PATIENCE_MS[patience]);
    }
    if (before.kind === "reconnecting" && after.kind === "inCall") {
      const tookMs = this.#env.nowMs() - before.sinceMs;
      if (tookMs >= NOTICEABLE_MS) this.#board.put("reconnected");
    }
    if (after.kind !== "ended" && after.kind !== "preparing") this.#voice.start();
  }

  #onMessage(message: ServerMessage): void {
    switch (message.type) {
      case "joined":
        this.#onJoined(message.joined);
        return;
      case "admitted":
        this.#onAdmitted(message.admitted);
        return;
      case "group":
        this.#group.news(message.news);
        return;
      case "answer":
        void this.#onAnswer(message.answer);
        return;
      case "roster":
        this.#people.apply(message.present, message.left);
        this.#onPeople();
        return;
      case "slots":
        this.#media.slots(message);
        break;
      case "speakers":
        this.#people.speakers(message.active, message.speaking, this.#self);
        break;
      case "quality":
        this.#people.quality(message.participants);
        break;
      case "error":
        if (message.code === "badOffer") void this.#media.rollBack();
        this.#input({ kind: "refused", code: message.code, atMs: this.#env.nowMs() });
        return;
      case "welcome":
      case "pong":
        return;
      default:
        // A newer server may say more.
        return;
    }
    this.#changed();
  }

  #onJoined(joined: Joined): void {
    if (!("door" in this.#state) || this.#state.door !== "asked") return;
    this.#self = joined.participant;
    this.#resumeToken = joined.resumeToken;
    const { admitted, answer, mediaAlive } = joined;
    if (admitted === null || !this.#group.hasMember) {
      void this.#onDoor();
      return;
    }
    const answered = answer !== null && answer.generation === this.#media.generation;
    this.#input({ kind: "resumed", mediaAlive, answered });
    this.#group.resumed();
    this.#meet(admitted);
    this.#tellAll();
    if (answered) void this.#onAnswer(answer);
  }

  /** The server knows this device; whether it comes in is the group's to say. */
  async #onDoor(): Promise<void> {
    const ticket = this.#ticket;
    const meeting = await this.#checked;
    if (meeting === undefined || ticket !== this.#ticket) return;
    this.#people.replace([]);
    this.#input({ kind: "atDoor" });
    this.#media.begin(this.#group.atDoor(meeting, this.#name));
  }

  #onAdmitted(admitted: Admitted): void {
    if (!this.#hasDoor()) return;
    this.#meet(admitted);
    this.#board.quiet(this.#env.nowMs());
    this.#input({ kind: "admitted" });
  }

  #meet({ others }: Admitted): void {
    this.#people.replace(others);
    this.#onPeople();
  }

  async #onAnswer({ generation, sdp, statement }: Answer): Promise<void> {
    if (generation !== this.#media.generation) return;
    try {
      const fault = await this.#group.verifyAnswer(sdp, statement);
      if (fault !== undefined) {
        this.#input({ kind: "stopped", reason: { kind: "nodeRefused", fault } });
        return;
      }
      await this.#media.answer(generation, sdp);
    } catch {
      if (generation !== this.#media.generation) return;
      this.#input({ kind: "mediaLost", atMs: this.#env.nowMs() });
      return;
    }
    this.#growIfNeeded();
  }

  #onGroup(view: GroupView): void {
    const { self } = this.#people;
    const before = this.#people.forbidden(self);
    const { joined, left } = this.#people.follow(view);
    const nowMs = this.#env.nowMs();
    if (self !== this.#people.self) this.#board.quiet(nowMs);
    for (const name of left) this.#board.coming("left", name, nowMs);
    for (const name of joined) this.#board.coming("joined", name, nowMs);
    this.#talk.keepOnly(this.#people.present);
    if (joined.length > 0) this.#say.showHandAgain();
    this.#obey(self === this.#people.self ? before : []);
    this.#onPeople();
  }

  /** A host may have forbidden this device something, or allowed it again. */
  #obey(before: readonly MuteWhat[]): void {
    const after = this.#people.forbidden(this.#people.self);
    const added = after.filter((what) => !before.includes(what));
    const gone = before.filter((what) => !after.includes(what));
    for (const what of added) this.#board.retract("allowed", what);
    for (const what of gone) this.#board.retract("forbidden", what);
    for (const what of added) this.#board.put("forbidden", { what });
    for (const what of gone) this.#board.put("allowed", { what });
    this.#tracks.obey(after);
  }

  /** Somebody is there, is gone, or publishes something else. */
  #onPeople(): void {
    this.#media.reassign();
    this.#view.guess([...this.#people.videos()]);
    this.#view.flush();
    clearTimeout(this.#settling);
    const { nextSettledMs } = this.#people;
    if (nextSettledMs !== undefined) {
      this.#settling = setTimeout(() => this.#onPeople(), nextSettledMs);
    }
    this.#changed();
  }

  /** A device or the screen came, went, or is another. */
  #onDevices(): void {
    // The constructor's own callbacks come before all is there.
    if (this.#tracks === undefined) return;
    this.#meter.measure(this.#devices.heldMicrophone());
    this.#tracks.carry();
    if (this.#isOffered()) this.#tracks.tell();
    const { devices } = this.#devices.snapshot("microphone");
    // Loudspeakers are plugged in and out, and permitted, with microphones.
    if (devices !== this.#listedWith) void this.#listSpeakers();
    this.#listedWith = devices;
    this.#changed();
  }

  // What to do.

  #carryOut(effect: CallEffect): void {
    switch (effect.kind) {
      case "openSocket":
        this.#open();
        return;
      case "enter":
        void this.#enter(effect.resume, effect.media);
        return;
      case "renewMedia":
        clearTimeout(this.#renewal);
        if (effect.delayMs === 0) void this.#renewMedia();
        else this.#renewal = setTimeout(() => void this.#renewMedia(), effect.delayMs);
        return;
      case "sendLeave":
        if (this.#hasAsked) this.#send({ type: "leave" });
        return;
      case "close":
        this.#close();
        return;
      case "forgetStay":
        forgetSession(this.#link.id, this.#env.storage);
        return;
      case "forget":
        forgetLink(this.#link.id, this.#env.storage);
        forgetSession(this.#link.id, this.#env.storage);
        return;
      default:
        unreachable(effect);
    }
  }

  #prepare(): void {
    if (!this.#env.isSupported()) {
      this.#input({ kind: "stopped", reason: { kind: "unsupported" } });
      return;
    }
    this.#open();
  }

  #open(): void {
    this.#check.abort();
    this.#check = new AbortController();
    this.#checked = checkMeeting({
      link: this.#link,
      env: this.#env,
      onMeeting: ({ title }) => {
        this.#title = title;
        this.#changed();
      },
      onRefused: (reason) => this.#input({ kind: "stopped", reason }),
      stop: this.#check.signal,
    });
    this.#env.warmUp();
    this.#socket.open();
  }

  async #enter(resumes: boolean, media: "keep" | "offer"): Promise<void> {
    const ticket = this.#take();
    const isAsked = (): boolean =>
      ticket === this.#ticket && "door" in this.#state && this.#state.door === "asked";
    const meeting = await this.#checked;
    const resumeToken = resumes ? this.#resumeToken : undefined;
    const signature =
      resumeToken === undefined ? undefined : await this.#group.signResume(this.#challenge);
    if (meeting === undefined || !isAsked()) return;
    const { presence } = this.#tracks;
    const common = { meeting: this.#link.id, presence };
    if (resumeToken === undefined || signature === undefined) {
      // A leaf that the server does not know any more is given up for a new one.
      if (this.#group.hasLeaf) this.#group.close();
      this.#tracks.entered(presence);
      this.#hasAsked = this.#send({ type: "join", ...common, token: meeting.keys.token });
      return;
    }
    const fresh = media === "offer";
    const offer = fresh || this.#media.isNegotiating ? await this.#offer(fresh) : null;
    if (!isAsked()) return;
    this.#tracks.entered(presence);
    this.#hasAsked = this.#send({ type: "resume", ...common, resumeToken, signature, offer });
  }

  async #renewMedia(): Promise<void> {
    const ticket = this.#take();
    const offer = await this.#offer(true).catch(() => undefined);
    if (ticket !== this.#ticket || !this.#isInside()) return;
    if (offer === undefined) this.#input({ kind: "mediaLost", atMs: this.#env.nowMs() });
    else if (this.#send({ type: "offer", offer })) {
      this.#tracks.offered(offer.tracks);
      this.#tellAll();
    }
  }

  async #offer(fresh: boolean): Promise<Offer> {
    if (fresh) this.#media.renew(this.#view.slotsWanted);
    const sdp = await this.#media.offer();
    const { generation } = this.#media;
    this.#offered = generation;
    return { generation, sdp, tracks: this.#media.tracks() };
  }

  /** Offers more video slots, if the view wants more than there are. */
  #growIfNeeded(): void {
    if (!this.#isOffered() || !this.#media.grow(this.#view.slotsWanted)) return;
    const ticket = this.#take();
    void this.#offer(false).then((offer) => {
      if (ticket === this.#ticket && this.#isOffered()) this.#send({ type: "offer", offer });
    });
  }

  #sendView(wants: readonly Want[]): boolean {
    if (!this.#isOffered()) return false;
    this.#growIfNeeded();
    return this.#send({ type: "view", wants: [...wants] });
  }

  /** What the server does not know of this media session, or may have forgotten, is said. */
  #tellAll(): void {
    this.#tracks.tell();
    this.#view.forget();
    this.#view.flush();
  }

  #isForbidden(what: MuteWhat): boolean {
    const is = this.#tracks.isForbidden(what);
    if (is) {
      this.#board.put("forbidden", { what });
      this.#changed();
    }
    return is;
  }

  #command(command: GroupCommand): void {
    this.#say.command(command);
    this.#changed();
  }

  #close(): void {
    this.#take();
    this.#check.abort();
    clearTimeout(this.#renewal);
    clearTimeout(this.#settling);
    this.#voice.stop();
    this.#wish = {
      microphone: this.#devices.live("microphone") !== undefined,
      camera: this.#devices.live("camera") !== undefined,
    };
    this.#socket.close();
    this.#view.clear();
    this.#media.close();
    this.#group.close();
    this.#screen.stop();
    this.#devices.stop();
    this.#output.stop();
    this.#people.follow(undefined);
    this.#people.replace([]);
    this.#tracks.obey([]);
    this.#talk.clear();
    this.#resumeToken = undefined;
  }

  async #listSpeakers(): Promise<void> {
    this.#speakers = await this.#env.listSpeakers().catch(() => []);
    this.#changed();
  }

  #notice(kind: NoticeKind): void {
    this.#board.put(kind);
    this.#changed();
  }

  #send(message: ClientMessage): boolean {
    return this.#socket.send(message);
  }

  #take(): number {
    this.#ticket += 1;
    return this.#ticket;
  }

  /** Whether the server takes messages of the group from this socket. */
  #hasDoor(): boolean {
    const state = this.#state;
    return state.kind === "inCall" || ("door" in state && isPassed(state.door));
  }

  #isInside(): boolean {
    const state = this.#state;
    return state.kind === "inCall" || (state.kind === "reconnecting" && state.door === "inside");
  }

  /** Whether the server knows the present media session, so that something can be said of it. */
  #isOffered(): boolean {
    return this.#isInside() && this.#offered === this.#media.generation;
  }

  // What the interface sees.

  #changed(): void {
    this.#isStale = true;
    if (this.#isTelling || this.#isDisposed) return;
    this.#isTelling = true;
    queueMicrotask(() => {
      this.#isTelling = false;
      for (const listener of this.#listeners) listener();
    });
  }

  #build(): CallSnapshot {
    const people = this.#people;
    const isAway = this.#state.kind === "reconnecting";
    return {
      phase: phaseOf(this.#state),
      title: this.#title,
      self: {
        ...people.ownMembership(),
        id: people.self,
        name: this.#name,
        quality: isAway ? "lost" : people.qualityOf(this.#self),
        speaking: this.#voice.isSpeaking,
        microphone: this.#devices.snapshot("microphone"),
        camera: this.#devices.snapshot("camera"),
        cameraStream: this.#media.preview(this.#devices.live("camera")),
        screen: this.#screen.snapshot,
      },
      others: people.snapshot((publication) => this.#media.look(publication)),
      activeSpeaker: people.activeSpeaker,
      group: this.#group.snapshot(),
      chat: this.#talk.chat,
      hands: this.#talk.hands,
      reactions: this.#talk.reactions,
      notices: this.#board.notices,
    };
  }
}

/** A call by a link; it prepares at once, and enters on `join`. */
export function createCall(options: CallOptions): CallCommands {
  return new Call(options);
}

function phaseOf(state: CallState): CallPhase {
  switch (state.kind) {
    case "preparing":
    case "inCall":
      return { kind: state.kind };
    case "joining":
      return state.waits === undefined
        ? { kind: "joining" }
        : { kind: "waiting", why: state.waits };
    case "reconnecting":
      return state.waits === undefined
        ? { kind: "reconnecting", sinceMs: state.sinceMs, attempt: state.attempt }
        : { kind: "waiting", why: state.waits };
    case "ended":
      return { kind: "ended", reason: state.reason };
    default:
      return unreachable(state);
  }
}

function isPassed(door: Door): boolean {
  return door === "outside" || door === "inside";
}

function unreachable(value: never): never {
  throw new Error(`unhandled: ${JSON.stringify(value)}`);
}
