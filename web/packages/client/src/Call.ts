import type {
  ClientMessage,
  Joined,
  Offer,
  PublishedTrack,
  SealedBlob,
  ServerMessage,
  TrackSource,
  Want,
} from "@conclave/wire";

import { CallMedia } from "./CallMedia";
import { browserCallEnv, type CallEnv } from "./callEnv";
import { type CallEffect, type CallInput, type CallState, patienceMs, step } from "./callMachine";
import { cleanName } from "./displayText";
import { SPEAKING_LEVEL } from "./LevelMeter";
import { forgetLink, keepLink, type LinkKeys, type MeetingLink } from "./link";
import { MeetingError } from "./meetings";
import { NoticeBoard } from "./NoticeBoard";
import { Roster } from "./Roster";
import { forgetSession, keepSession, recallSession } from "./session";
import { share } from "./share";
import type { CallCommands, CallPhase, CallSnapshot, DeviceChoice } from "./snapshot";
import { noTransform, type StreamTransform } from "./streamTransform";
import { ViewWish } from "./ViewWish";

/** What a {@link Call} is made of. */
export interface CallOptions {
  readonly link: MeetingLink;
  /** The display name to begin with. */
  readonly name?: string;
  /** Where frames are sealed and opened. */
  readonly transform?: StreamTransform;
  readonly env?: CallEnv;
}

/** How often the own microphone's level is looked at. */
const LEVEL_EVERY_MS = 100;

/** Said once, then not again for so long: who coughs while muted knows. */
const MUTED_NOTICE_EVERY_MS = 30_000;

/** So many looks in a row must hear a voice: not a key, not a door. */
const MUTED_VOICE_LOOKS = 5;

/** A reconnection shorter than this went unnoticed, so it is not announced. */
const NOTICEABLE_MS = 1_500;

/** Pause before a meeting that could not be asked for is asked for again. */
const CHECK_AGAIN_MS = 1_500;

/** A meeting that has been checked: its policy is the link's, so it may be joined. */
interface Checked {
  readonly keys: LinkKeys;
}

/**
 * One person's side of a call: commands in, snapshots out.
 *
 * {@link step} decides, this class does: it owns socket, peer connection and devices, feeds what
 * they report to the machine, and carries out the effects.
 */
export class Call implements CallCommands {
  readonly #link: MeetingLink;
  readonly #env: CallEnv;
  readonly #socket: ReturnType<CallEnv["createSocket"]>;
  readonly #devices: ReturnType<CallEnv["createDevices"]>;
  readonly #screen: ReturnType<CallEnv["createScreen"]>;
  readonly #output: ReturnType<CallEnv["createOutput"]>;
  readonly #meter: ReturnType<CallEnv["createMeter"]>;
  readonly #media: CallMedia;
  readonly #view: ViewWish;
  readonly #roster = new Roster();
  readonly #board = new NoticeBoard();
  readonly #listeners = new Set<() => void>();

  #state: CallState = { kind: "preparing", socket: "down" };
  #checked: Promise<Checked>;
  #profile: { readonly name: string; readonly sealed: Promise<SealedBlob> } | undefined;
  #name: string;
  #title = "";
  #self: number | undefined;
  #speakers: readonly DeviceChoice[] = [];
  #listedWith: readonly DeviceChoice[] | undefined;
  #selfSpeaking = false;
  #mutedVoiceLooks = 0;
  #mutedNoticeAtMs = Number.NEGATIVE_INFINITY;
  /** Counts entries and offers: what an older one prepared is not sent. */
  #ticket = 0;
  #published = "";
  #presence = "";
  /** What was on when the call ended, for `rejoin`. */
  #wish = { microphone: false, camera: false };
  #patience: ReturnType<typeof setTimeout> | undefined;
  #levelTimer: ReturnType<typeof setInterval> | undefined;
  #renewal: ReturnType<typeof setTimeout> | undefined;
  #disposed = false;

  #snapshot: CallSnapshot;
  #isStale = false;
  /** Listeners are told once for all changes of a turn. */
  #isTelling = false;

  constructor({ link, name = "", transform = noTransform, env = browserCallEnv() }: CallOptions) {
    this.#link = link;
    this.#env = env;
    this.#name = cleanName(name);
    const url = `${link.origin.replace(/^http/, "ws")}/api/v1/signal`;
    this.#socket = env.createSocket(url, {
      onUp: () => this.#input({ kind: "socketUp" }),
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
    this.#media = new CallMedia({
      env,
      transform,
      output: this.#output,
      firstGeneration: (recallSession(link.id, env.storage)?.generation ?? 0) + 1,
      events: {
        onConnected: () => this.#input({ kind: "mediaUp" }),
        onLost: () => {
          this.#roster.speakers(null, [], this.#self);
          this.#input({ kind: "mediaLost", atMs: env.nowMs() });
        },
        onPicture: () => this.#changed(),
      },
    });
    this.#view = new ViewWish({
      living: (wants) => this.#living(wants),
      send: (wants) => this.#sendView(wants),
    });
    this.#snapshot = this.#build();
    this.#checked = this.#check();
    this.#socket.open();
    this.#media.prepare();
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
    this.#name = cleanName(name);
    this.#changed();
  }

  join(): void {
    this.#env.mark("conclave:join");
    keepLink(this.#link, this.#env.storage);
    const kept = recallSession(this.#link.id, this.#env.storage);
    this.#input({ kind: "joinPressed", resumeToken: kept?.resumeToken });
  }

  rejoin(): void {
    if (this.#state.kind !== "ended") return;
    this.#env.mark("conclave:join");
    keepLink(this.#link, this.#env.storage);
    this.#board.clear();
    this.#checked = this.#check();
    this.#input({ kind: "rejoinPressed" });
    void this.prepare(this.#wish);
  }

  leave(): void {
    this.#input({ kind: "leavePressed" });
  }

  setMicrophone(on: boolean): void {
    if (on) this.#board.retract("speakingWhileMuted");
    void this.#devices.set("microphone", on);
  }

  setCamera(on: boolean): void {
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
    void this.#screen.start();
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

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#listeners.clear();
    clearTimeout(this.#patience);
    this.#close();
    this.#devices.dispose();
    this.#meter.close();
  }

  // What happened.

  #input(input: CallInput): void {
    if (this.#disposed) return;
    const before = this.#state;
    const [after, effects] = step(before, input);
    this.#state = after;
    if (after.kind !== before.kind) this.#onKind(before, after);
    for (const effect of effects) this.#carryOut(effect);
    this.#changed();
  }

  #onKind(before: CallState, after: CallState): void {
    clearTimeout(this.#patience);
    const patience = patienceMs(after);
    if (patience !== undefined) {
      this.#patience = setTimeout(() => this.#input({ kind: "patienceEnded" }), patience);
    }
    if (before.kind === "reconnecting" && after.kind === "inCall") {
      const tookMs = this.#env.nowMs() - before.sinceMs;
      if (tookMs >= NOTICEABLE_MS) this.#board.put("reconnected");
    }
    this.#watchLevel(after.kind !== "ended" && after.kind !== "preparing");
  }

  #onMessage(message: ServerMessage): void {
    switch (message.type) {
      case "joined":
        void this.#onJoined(message.joined);
        return;
      case "answer":
        void this.#onAnswer(message.answer.generation, message.answer.sdp);
        return;
      case "roster":
        void this.#onRoster(message);
        return;
      case "slots":
        this.#media.slots(message.generation, message.video);
        break;
      case "speakers":
        this.#roster.speakers(message.active, message.speaking, this.#self);
        break;
      case "quality":
        this.#roster.quality(message.participants);
        break;
      case "error":
        if (message.code === "badOffer") void this.#media.rollBack();
        this.#input({ kind: "refused", code: message.code, fatal: message.fatal });
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

  async #onJoined(joined: Joined): Promise<void> {
    if (this.#state.kind !== "joining" && this.#state.kind !== "reconnecting") return;
    const { answer, resumeToken, mediaAlive } = joined;
    this.#self = joined.participant;
    this.#roster.replace(joined.others);
    this.#board.quiet(this.#env.nowMs());
    const { generation } = this.#media;
    keepSession(this.#link.id, { resumeToken, generation }, this.#env.storage);
    const answered = answer !== null && answer.generation === generation;
    this.#input({ kind: "joined", resumeToken, mediaAlive, answered });
    // What changed while it was on its way is stated now.
    this.#published = "";
    this.#presence = "";
    this.#stateTracks();
    this.#view.forget();
    this.#view.guess([...this.#roster.videos()]);
    this.#view.flush();
    if (answered) await this.#onAnswer(answer.generation, answer.sdp);
    await this.#openNames();
  }

  async #onAnswer(generation: number, sdp: string): Promise<void> {
    try {
      await this.#media.answer(generation, sdp);
    } catch {
      this.#input({ kind: "mediaLost", atMs: this.#env.nowMs() });
      return;
    }
    this.#growIfNeeded();
  }

  async #onRoster({ present, left }: Extract<ServerMessage, { type: "roster" }>): Promise<void> {
    const comings = this.#roster.apply(present, left);
    this.#view.flush();
    this.#changed();
    await this.#openNames();
    const nowMs = this.#env.nowMs();
    for (const { name } of comings.left) this.#board.coming("left", name, nowMs);
    for (const id of comings.joined) {
      const name = this.#roster.name(id);
      if (name !== undefined) this.#board.coming("joined", name, nowMs);
    }
    this.#changed();
  }

  /** A device or the screen came, went, or is another. */
  #onDevices(): void {
    // The constructor's own callbacks come before all is there.
    if (this.#media === undefined) return;
    const microphone = this.#devices.heldMicrophone();
    this.#meter.measure(microphone);
    if (microphone === undefined) this.#media.withdraw("microphone");
    // Published but silent while muted: unmuting then loses no syllable.
    else this.#media.publish("microphone", this.#devices.live("microphone"));
    this.#publishOrWithdraw("camera", this.#devices.live("camera"));
    this.#publishOrWithdraw("screen", this.#screen.videoTrack);
    this.#publishOrWithdraw("screenAudio", this.#screen.audioTrack);
    this.#stateTracks();
    const { devices } = this.#devices.snapshot("microphone");
    // Loudspeakers are plugged in and out, and permitted, with microphones.
    if (devices !== this.#listedWith) void this.#listSpeakers();
    this.#listedWith = devices;
    this.#changed();
  }

  #publishOrWithdraw(source: TrackSource, track: MediaStreamTrack | undefined): void {
    if (track === undefined) this.#media.withdraw(source);
    else this.#media.publish(source, track);
  }

  // What to do.

  #carryOut(effect: CallEffect): void {
    switch (effect.kind) {
      case "openSocket":
        this.#media.prepare();
        this.#socket.open();
        return;
      case "enter":
        void this.#enter(effect.resumeToken, effect.media);
        return;
      case "renewMedia":
        clearTimeout(this.#renewal);
        if (effect.delayMs === 0) void this.#renewMedia();
        else this.#renewal = setTimeout(() => void this.#renewMedia(), effect.delayMs);
        return;
      case "sendLeave":
        this.#socket.send({ type: "leave" });
        return;
      case "close":
        this.#close();
        return;
      case "forget":
        forgetLink(this.#link.id, this.#env.storage);
        forgetSession(this.#link.id, this.#env.storage);
        return;
      default:
        unreachable(effect);
    }
  }

  async #enter(resumeToken: string | undefined, media: "keep" | "offer"): Promise<void> {
    const ticket = this.#take();
    const { keys } = await this.#checked;
    const profile = await this.#seal(keys);
    const offer =
      media === "offer" || this.#media.isNegotiating ? await this.#offer(media === "offer") : null;
    if (ticket !== this.#ticket || !("door" in this.#state) || this.#state.door !== "asked") return;
    const common = { meeting: this.#link.id, profile, presence: this.#presenceNow() };
    if (resumeToken !== undefined) this.#send({ type: "resume", ...common, resumeToken, offer });
    else if (offer !== null) this.#send({ type: "join", ...common, token: keys.token, offer });
  }

  async #renewMedia(): Promise<void> {
    const ticket = this.#take();
    const offer = await this.#offer(true);
    if (ticket !== this.#ticket) return;
    this.#send({ type: "offer", offer });
    const kept = recallSession(this.#link.id, this.#env.storage);
    if (kept !== undefined) {
      const { generation } = offer;
      keepSession(this.#link.id, { ...kept, generation }, this.#env.storage);
    }
  }

  async #offer(fresh: boolean): Promise<Offer> {
    if (fresh) this.#media.renew(this.#view.slotsWanted);
    const sdp = await this.#media.offer();
    return { generation: this.#media.generation, sdp, tracks: this.#tracks() };
  }

  /** Offers more video slots, if the view wants more than there are. */
  #growIfNeeded(): void {
    if (!this.#isInside() || !this.#media.grow(this.#view.slotsWanted)) return;
    const ticket = this.#take();
    void this.#offer(false).then((offer) => {
      if (ticket === this.#ticket && this.#isInside()) this.#send({ type: "offer", offer });
    });
  }

  #living(wants: readonly Want[]): readonly Want[] {
    const videos = this.#roster.videos();
    return wants.filter(({ publication }) => videos.has(publication));
  }

  #sendView(wants: readonly Want[]): boolean {
    if (!this.#isInside()) return false;
    this.#growIfNeeded();
    return this.#send({ type: "view", wants: [...wants] });
  }

  /** Tells the server of tracks and presence, if they changed. */
  #stateTracks(): void {
    if (!this.#isInside()) return;
    const tracks = this.#tracks();
    const published = JSON.stringify(tracks);
    if (published !== this.#published && this.#send({ type: "publish", tracks })) {
      this.#published = published;
    }
    const presence = this.#presenceNow();
    const stated = JSON.stringify(presence);
    if (stated !== this.#presence && this.#send({ type: "presence", presence })) {
      this.#presence = stated;
    }
  }

  #tracks(): PublishedTrack[] {
    return this.#media.tracks();
  }

  #presenceNow(): { muted: boolean } {
    return { muted: this.#devices.live("microphone") === undefined };
  }

  #close(): void {
    this.#take();
    clearTimeout(this.#renewal);
    clearInterval(this.#levelTimer);
    this.#levelTimer = undefined;
    this.#wish = {
      microphone: this.#devices.live("microphone") !== undefined,
      camera: this.#devices.live("camera") !== undefined,
    };
    this.#socket.close();
    this.#view.clear();
    this.#media.close();
    this.#screen.stop();
    this.#devices.stop();
    this.#output.stop();
    this.#roster.replace([]);
    this.#selfSpeaking = false;
  }

  /** Asks until there is an answer: no call is joined whose policy was not seen. */
  async #check(): Promise<Checked> {
    const keys = await this.#env.deriveKeys(this.#link);
    for (;;) {
      try {
        const meeting = await this.#env.fetchMeeting(this.#link, keys);
        this.#title = meeting.title;
        this.#changed();
        return { keys };
      } catch (error) {
        if (!(error instanceof MeetingError)) throw error;
        if (this.#refuse(error) || this.#disposed) return never();
      }
      await new Promise((resolve) => setTimeout(resolve, CHECK_AGAIN_MS));
      // `rejoin` asks anew.
      if (this.#state.kind === "ended") return never();
    }
  }

  /** Ends the call if asking again would not help. */
  #refuse({ fault }: MeetingError): boolean {
    switch (fault) {
      case "policyMismatch":
        this.#input({ kind: "policyMismatch" });
        return true;
      case "unknownMeeting":
        this.#input({ kind: "refused", code: "unknownMeeting", fatal: true });
        return true;
      case "incompatible":
        this.#input({ kind: "refused", code: "unsupportedVersion", fatal: true });
        return true;
      case "busy":
      case "rateLimited":
      case "server":
      case "unreachable":
        return false;
      default:
        return unreachable(fault);
    }
  }

  #seal({ meta }: LinkKeys): Promise<SealedBlob> {
    if (this.#profile?.name !== this.#name) {
      this.#profile = {
        name: this.#name,
        sealed: this.#env.sealProfile(meta, { name: this.#name }),
      };
    }
    return this.#profile.sealed;
  }

  async #openNames(): Promise<void> {
    const { keys } = await this.#checked;
    await Promise.all(
      this.#roster.unopened().map(async (blob) => {
        // A name that does not open is empty: the interface then says "guest" or the like.
        const { name } = await this.#env.openProfile(keys.meta, blob).catch(() => ({ name: "" }));
        this.#roster.setName(blob, name);
      }),
    );
    this.#changed();
  }

  async #listSpeakers(): Promise<void> {
    this.#speakers = await this.#env.listSpeakers().catch(() => []);
    this.#changed();
  }

  #watchLevel(on: boolean): void {
    if (on) this.#levelTimer ??= setInterval(() => this.#lookAtLevel(), LEVEL_EVERY_MS);
  }

  #lookAtLevel(): void {
    const isVoice = this.#meter.level() > SPEAKING_LEVEL;
    const isLive = this.#devices.live("microphone") !== undefined;
    if (this.#selfSpeaking !== (isVoice && isLive)) {
      this.#selfSpeaking = isVoice && isLive;
      this.#changed();
    }
    this.#mutedVoiceLooks = isVoice && !isLive ? this.#mutedVoiceLooks + 1 : 0;
    const nowMs = this.#env.nowMs();
    const isNews = nowMs - this.#mutedNoticeAtMs > MUTED_NOTICE_EVERY_MS;
    if (this.#mutedVoiceLooks >= MUTED_VOICE_LOOKS && isNews) {
      this.#mutedNoticeAtMs = nowMs;
      this.#notice("speakingWhileMuted");
    }
  }

  #notice(kind: Parameters<NoticeBoard["put"]>[0]): void {
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

  #isInside(): boolean {
    const state = this.#state;
    return state.kind === "inCall" || (state.kind === "reconnecting" && state.door === "inside");
  }

  // What the interface sees.

  #changed(): void {
    this.#isStale = true;
    if (this.#isTelling || this.#disposed) return;
    this.#isTelling = true;
    queueMicrotask(() => {
      this.#isTelling = false;
      for (const listener of this.#listeners) listener();
    });
  }

  #build(): CallSnapshot {
    const cameraTrack = this.#devices.live("camera");
    return {
      phase: phaseOf(this.#state),
      title: this.#title,
      self: {
        id: this.#self,
        name: this.#name,
        quality: this.#state.kind === "reconnecting" ? "lost" : this.#roster.qualityOf(this.#self),
        speaking: this.#selfSpeaking,
        microphone: this.#devices.snapshot("microphone"),
        camera: this.#devices.snapshot("camera"),
        cameraStream: this.#media.preview(cameraTrack),
        screen: this.#screen.snapshot,
      },
      others: this.#roster.snapshot((publication) => this.#media.look(publication)),
      activeSpeaker: this.#roster.activeSpeaker,
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
    case "joining":
    case "inCall":
      return { kind: state.kind };
    case "reconnecting":
      return { kind: "reconnecting", sinceMs: state.sinceMs, attempt: state.attempt };
    case "ended":
      return { kind: "ended", reason: state.reason };
    default:
      return unreachable(state);
  }
}

/** Nobody waits for it: the call ended. */
function never(): Promise<Checked> {
  return new Promise(() => {});
}

function unreachable(value: never): never {
  throw new Error(`unhandled: ${JSON.stringify(value)}`);
}
