import type { GroupView, MuteWhat, ParticipantInfo, ServerMessage } from "@conclave/wire";

import { CallGroup } from "./CallGroup";
import { CallMedia } from "./CallMedia";
import type { CallEnv } from "./callEnv";
import {
  type CallEffect,
  type CallInput,
  type CallState,
  PATIENCE_MS,
  patienceOf,
  step,
} from "./callMachine";
import { cleanName } from "./displayText";
import { forgetLink, type MeetingLink } from "./link";
import { type CheckedMeeting, checkMeeting } from "./MeetingCheck";
import { Negotiation } from "./Negotiation";
import { NoticeBoard } from "./NoticeBoard";
import { OwnTalk } from "./OwnTalk";
import { OwnTracks } from "./OwnTracks";
import { OwnVoice } from "./OwnVoice";
import { People } from "./People";
import { Snapshots } from "./Snapshots";
import { forgetSession } from "./session";
import type { CallPhase, CallSnapshot, DeviceChoice, NoticeKind } from "./snapshot";
import { Talk } from "./Talk";
import { ViewWish } from "./ViewWish";

/** A reconnection shorter than this went unnoticed, so it is not announced. */
const NOTICEABLE_MS = 1_500;

/**
 * A call as it runs.
 *
 * {@link step} decides, this class does: it owns socket, peer connection, devices and the member
 * of the meeting's group, feeds what they report to the machine, and carries out the effects.
 */
export class CallRun {
  readonly devices: ReturnType<CallEnv["createDevices"]>;
  readonly screen: ReturnType<CallEnv["createScreen"]>;
  readonly output: ReturnType<CallEnv["createOutput"]>;
  readonly meter: ReturnType<CallEnv["createMeter"]>;
  readonly view: ViewWish;
  readonly say: OwnTalk;
  readonly board = new NoticeBoard();
  readonly snapshots = new Snapshots(() => this.#build());

  readonly #link: MeetingLink;
  readonly #env: CallEnv;
  readonly #socket: ReturnType<CallEnv["createSocket"]>;
  readonly #group: CallGroup;
  readonly #media: CallMedia;
  readonly #negotiation: Negotiation;
  readonly #tracks: OwnTracks;
  readonly #voice: OwnVoice;
  readonly #people: People;
  readonly #talk: Talk;

  #state: CallState = { kind: "preparing", socket: "down" };
  #check = new AbortController();
  #checked: Promise<CheckedMeeting> | undefined;
  #name: string;
  #title = "";
  #speakers: readonly DeviceChoice[] = [];
  #listedWith: readonly DeviceChoice[] | undefined;
  /** What was on when the call ended, for `rejoin`. */
  #wish = { microphone: false, camera: false };
  #patience: ReturnType<typeof setTimeout> | undefined;
  #renewal: ReturnType<typeof setTimeout> | undefined;
  #settling: ReturnType<typeof setTimeout> | undefined;
  #isDisposed = false;

  constructor(link: MeetingLink, name: string, env: CallEnv) {
    this.#link = link;
    this.#env = env;
    this.#name = cleanName(name);
    const url = `${link.origin.replace(/^http/, "ws")}/api/v1/signal`;
    this.#socket = env.createSocket(url, {
      onUp: (challenge) => {
        this.#negotiation.greeted(challenge);
        this.input({ kind: "socketUp" });
      },
      onDown: () => this.input({ kind: "socketDown", atMs: env.nowMs() }),
      onMessage: (message) => this.#onMessage(message),
    });
    this.devices = env.createDevices({
      onChange: () => this.#onDevices(),
      onLost: (kind) => this.#notice(kind === "camera" ? "cameraLost" : "microphoneLost"),
      onFailed: (kind) => this.#notice(kind === "camera" ? "cameraFailed" : "microphoneFailed"),
    });
    this.screen = env.createScreen({
      onChange: () => this.#onDevices(),
      onStopped: () => this.#notice("screenStopped"),
      onFailed: () => this.#notice("screenFailed"),
    });
    this.output = env.createOutput(() => this.#notice("audioBlocked"));
    this.meter = env.createMeter();
    this.#people = new People(env.nowMs);
    this.#group = new CallGroup({
      link,
      env,
      send: (request) => this.#negotiation.hasDoor && this.#socket.send({ type: "group", request }),
      events: {
        onView: (view) => this.#onGroup(view),
        onEvent: (event) => {
          this.say.hear(event);
          this.changed();
        },
        onOut: (reason) => this.input({ kind: "stopped", reason }),
        onWaits: (why) => this.input({ kind: "waits", why, atMs: env.nowMs() }),
      },
    });
    this.#media = new CallMedia({
      env,
      output: this.output,
      ownerOf: (publication) => this.#people.ownerOf(publication),
      events: {
        onConnected: () => this.input({ kind: "mediaUp" }),
        onLost: () => {
          this.#people.speakers(null, [], this.#negotiation.self);
          this.input({ kind: "mediaLost", atMs: env.nowMs() });
        },
        onPicture: () => this.changed(),
      },
    });
    this.#tracks = new OwnTracks({
      devices: this.devices,
      screen: this.screen,
      media: this.#media,
      board: this.board,
      send: (message) => this.#socket.send(message),
    });
    this.view = new ViewWish({
      living: (wants) => wants.filter(({ publication }) => this.#people.videos().has(publication)),
      send: (wants) => this.#negotiation.sendView(wants),
    });
    this.#negotiation = new Negotiation({
      link,
      group: this.#group,
      media: this.#media,
      tracks: this.#tracks,
      view: this.view,
      nowMs: env.nowMs,
      send: (message) => this.#socket.send(message),
      state: () => this.#state,
      meeting: async () => this.#checked,
      name: () => this.#name,
      onInput: (input) => this.input(input),
      onOthers: (others) => this.#onOthers(others),
    });
    const isHeard = (): boolean => this.devices.live("microphone") !== undefined;
    this.#voice = new OwnVoice({
      level: () => this.meter.level(),
      isLive: isHeard,
      nowMs: env.nowMs,
      onChange: () => this.changed(),
      onUnheard: () => this.#notice("speakingWhileMuted"),
    });
    this.#talk = new Talk({ nowMs: env.nowMs, onChange: () => this.changed() });
    const { board, talk, group } = { board: this.board, talk: this.#talk, group: this.#group };
    this.say = new OwnTalk({ group, talk, board, isHeard });
    if (env.isSupported()) this.#open();
    else this.input({ kind: "stopped", reason: { kind: "unsupported" } });
  }

  get isEnded(): boolean {
    return this.#state.kind === "ended";
  }

  /** Loudspeakers to choose from. */
  get speakers(): readonly DeviceChoice[] {
    return this.#speakers;
  }

  /** What was on when the call ended. */
  get wish(): { readonly microphone: boolean; readonly camera: boolean } {
    return this.#wish;
  }

  rename(name: string): void {
    // The name is sealed in this device's leaf for the whole stay.
    if (this.#group.hasMember) return;
    this.#name = cleanName(name);
    this.changed();
  }

  /** Whether a host has forbidden it; if so, that is told once more. */
  isForbidden(what: MuteWhat): boolean {
    if (!this.#tracks.isForbidden(what)) return false;
    this.board.put("forbidden", { what });
    this.changed();
    return true;
  }

  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.snapshots.close();
    clearTimeout(this.#patience);
    this.#close();
    this.devices.dispose();
    this.meter.close();
  }

  // What happened.

  input(input: CallInput): void {
    if (this.#isDisposed) return;
    const before = this.#state;
    const [after, effects] = step(before, input);
    this.#state = after;
    this.#onState(before, after);
    for (const effect of effects) this.#carryOut(effect);
    this.changed();
  }

  #onState(before: CallState, after: CallState): void {
    const patience = patienceOf(after);
    if (patience !== patienceOf(before)) {
      clearTimeout(this.#patience);
      const onEnd = (): void => this.input({ kind: "patienceEnded" });
      if (patience !== undefined) this.#patience = setTimeout(onEnd, PATIENCE_MS[patience]);
    }
    if (before.kind === "reconnecting" && after.kind === "inCall") {
      const tookMs = this.#env.nowMs() - before.sinceMs;
      if (tookMs >= NOTICEABLE_MS) this.board.put("reconnected");
    }
    if (after.kind !== "ended" && after.kind !== "preparing") this.#voice.start();
  }

  #onMessage(message: ServerMessage): void {
    switch (message.type) {
      case "joined":
        this.#negotiation.joined(message.joined);
        return;
      case "admitted":
        this.board.quiet(this.#env.nowMs());
        this.#negotiation.admitted(message.admitted);
        return;
      case "group":
        this.#group.news(message.news);
        return;
      case "answer":
        void this.#negotiation.answered(message.answer);
        return;
      case "roster":
        this.#people.apply(message.present, message.left);
        this.#onPeople();
        return;
      case "slots":
        this.#media.slots(message);
        break;
      case "demand":
        this.#media.demand(message.generation, message.pictures);
        return;
      case "speakers":
        this.#people.speakers(message.active, message.speaking, this.#negotiation.self);
        break;
      case "quality":
        this.#people.quality(message.participants);
        break;
      case "error":
        if (message.code === "badOffer") void this.#media.rollBack();
        this.input({ kind: "refused", code: message.code, atMs: this.#env.nowMs() });
        return;
      case "welcome":
      case "pong":
        return;
      default:
        // A newer server may say more.
        return;
    }
    this.changed();
  }

  #onOthers(others: readonly ParticipantInfo[]): void {
    this.#people.replace(others);
    this.#onPeople();
  }

  #onGroup(view: GroupView): void {
    const { self } = this.#people;
    const { joined, left } = this.#people.follow(view);
    const nowMs = this.#env.nowMs();
    if (self !== this.#people.self) this.board.quiet(nowMs);
    for (const name of left) this.board.coming("left", name, nowMs);
    for (const name of joined) this.board.coming("joined", name, nowMs);
    this.#talk.keepOnly(this.#people.present);
    if (joined.length > 0) this.say.showHandAgain();
    this.#tracks.obey(this.#people.forbidden(this.#people.self), self === this.#people.self);
    this.#onPeople();
    this.#negotiation.groupChanged();
  }

  /** Somebody is there, is gone, or publishes something else. */
  #onPeople(): void {
    this.#media.reassign();
    this.view.guess([...this.#people.videos()]);
    this.view.flush();
    clearTimeout(this.#settling);
    const { nextSettledMs } = this.#people;
    if (nextSettledMs !== undefined) {
      this.#settling = setTimeout(() => this.#onPeople(), nextSettledMs);
    }
    this.changed();
  }

  /** A device or the screen came, went, or is another. */
  #onDevices(): void {
    // The constructor's own callbacks come before all is there.
    if (this.#tracks === undefined) return;
    this.meter.measure(this.devices.heldMicrophone());
    this.#tracks.carry();
    if (this.#negotiation.isOffered) this.#tracks.tell();
    const { devices } = this.devices.snapshot("microphone");
    // Loudspeakers are plugged in and out, and permitted, with microphones.
    if (devices !== this.#listedWith) void this.#listSpeakers();
    this.#listedWith = devices;
    this.changed();
  }

  // What to do.

  #carryOut(effect: CallEffect): void {
    switch (effect.kind) {
      case "openSocket":
        this.#open();
        return;
      case "enter":
        void this.#negotiation.enter(effect.resume, effect.media);
        return;
      case "renewMedia":
        clearTimeout(this.#renewal);
        if (effect.delayMs === 0) void this.#negotiation.renew();
        else this.#renewal = setTimeout(() => void this.#negotiation.renew(), effect.delayMs);
        return;
      case "sendLeave":
        this.#negotiation.leave();
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

  #open(): void {
    this.#check.abort();
    this.#check = new AbortController();
    this.#checked = checkMeeting({
      link: this.#link,
      env: this.#env,
      onMeeting: ({ title }) => {
        this.#title = title;
        this.changed();
      },
      onRefused: (reason) => this.input({ kind: "stopped", reason }),
      stop: this.#check.signal,
    });
    this.#env.warmUp();
    if (this.#state.kind === "preparing") void this.#prepare(this.#checked);
    this.#socket.open();
  }

  /** Has ready what takes a moment to make, while the person looks into the mirror. */
  async #prepare(meeting: Promise<CheckedMeeting | undefined>): Promise<void> {
    const checked = await meeting;
    if (checked === undefined || this.#isDisposed || this.#state.kind !== "preparing") return;
    this.#media.begin(this.#group.prepare(checked), checked.cameraCodec);
  }

  #close(): void {
    this.#negotiation.close();
    this.#check.abort();
    clearTimeout(this.#renewal);
    clearTimeout(this.#settling);
    this.#voice.stop();
    this.#wish = {
      microphone: this.devices.live("microphone") !== undefined,
      camera: this.devices.live("camera") !== undefined,
    };
    this.#socket.close();
    this.view.clear();
    this.#media.close();
    this.#group.close();
    this.screen.stop();
    this.devices.stop();
    this.output.stop();
    this.#people.follow(undefined);
    this.#people.replace([]);
    this.#tracks.obey([], false);
    this.#talk.clear();
  }

  async #listSpeakers(): Promise<void> {
    this.#speakers = await this.#env.listSpeakers().catch(() => []);
    this.changed();
  }

  #notice(kind: NoticeKind): void {
    this.board.put(kind);
    this.changed();
  }

  /** Something of the snapshot is another. */
  changed(): void {
    this.snapshots.changed();
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
        quality: isAway ? "lost" : people.qualityOf(this.#negotiation.self),
        speaking: this.#voice.isSpeaking,
        microphone: this.devices.snapshot("microphone"),
        camera: this.devices.snapshot("camera"),
        cameraStream: this.#media.preview(this.devices.live("camera")),
        screen: this.screen.snapshot,
      },
      others: people.snapshot((publication) => this.#media.look(publication)),
      activeSpeaker: people.activeSpeaker,
      group: this.#group.snapshot(),
      chat: this.#talk.chat,
      hands: this.#talk.hands,
      reactions: this.#talk.reactions,
      notices: this.board.notices,
    };
  }
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

function unreachable(value: never): never {
  throw new Error(`unhandled: ${JSON.stringify(value)}`);
}
