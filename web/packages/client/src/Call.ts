import type {
  GroupCommand,
  MemberRole,
  MuteWhat,
  ParticipantId,
  Reaction,
  Want,
} from "@conclave/wire";

import { CallRun } from "./CallRun";
import { browserCallEnv, type CallEnv } from "./callEnv";
import { keepLink, type MeetingLink } from "./link";
import type { CallCommands, CallSnapshot, DeviceChoice, PersonId } from "./snapshot";

/** What a {@link Call} is made of. */
export interface CallOptions {
  readonly link: MeetingLink;
  /** The display name to begin with. */
  readonly name?: string;
  readonly env?: CallEnv;
}

/** One person's side of a call: commands in, snapshots out. */
export class Call implements CallCommands {
  readonly #link: MeetingLink;
  readonly #env: CallEnv;
  readonly #run: CallRun;

  constructor({ link, name = "", env = browserCallEnv() }: CallOptions) {
    this.#link = link;
    this.#env = env;
    this.#run = new CallRun(link, name, env);
  }

  subscribe(listener: () => void): () => void {
    return this.#run.snapshots.subscribe(listener);
  }

  snapshot(): CallSnapshot {
    return this.#run.snapshots.latest;
  }

  async prepare(wish: { readonly microphone: boolean; readonly camera: boolean }): Promise<void> {
    // A browser that cannot seal media has no call to prepare: its camera stays off.
    if (this.#run.isEnded) return;
    await this.#run.devices.prepare(wish);
  }

  setName(name: string): void {
    this.#run.rename(name);
  }

  join(): void {
    this.#env.mark("conclave:join");
    keepLink(this.#link, this.#env.storage);
    this.#run.input({ kind: "joinPressed" });
  }

  rejoin(): void {
    if (!this.#run.isEnded || !this.#env.isSupported()) return;
    this.#env.mark("conclave:join");
    keepLink(this.#link, this.#env.storage);
    this.#run.board.clear();
    this.#run.input({ kind: "rejoinPressed" });
    void this.prepare(this.#run.wish);
  }

  leave(): void {
    this.#run.input({ kind: "leavePressed" });
  }

  setMicrophone(on: boolean): void {
    if (on && this.#run.isForbidden("microphone")) return;
    this.#run.board.retract(on ? "speakingWhileMuted" : "askedToMute");
    void this.#run.devices.set("microphone", on);
  }

  setCamera(on: boolean): void {
    if (on && this.#run.isForbidden("camera")) return;
    void this.#run.devices.set("camera", on);
  }

  selectMicrophone(deviceId: string): void {
    void this.#run.devices.select("microphone", deviceId);
  }

  selectCamera(deviceId: string): void {
    void this.#run.devices.select("camera", deviceId);
  }

  speakers(): readonly DeviceChoice[] {
    return this.#run.speakers;
  }

  selectSpeaker(deviceId: string): void {
    this.#run.output.selectSpeaker(deviceId);
  }

  startScreen(): void {
    if (!this.#run.isForbidden("screen")) void this.#run.screen.start();
  }

  stopScreen(): void {
    this.#run.screen.stop();
  }

  setView(wants: readonly Want[]): void {
    this.#run.view.set(wants);
  }

  microphoneLevel(): number {
    return this.#run.meter.level();
  }

  testSpeaker(): void {
    this.#run.output.test();
  }

  resumeAudio(): void {
    this.#run.board.retract("audioBlocked");
    this.#run.output.resume();
    this.#run.changed();
  }

  dismiss(noticeId: number): void {
    this.#run.board.dismiss(noticeId);
    this.#run.changed();
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
    this.#run.say.chat(text);
    this.#run.changed();
  }

  react(reaction: Reaction): void {
    this.#run.say.react(reaction);
    this.#run.changed();
  }

  raiseHand(up: boolean): void {
    this.#run.say.raiseHand(up);
    this.#run.changed();
  }

  dispose(): void {
    this.#run.dispose();
  }

  #command(command: GroupCommand): void {
    this.#run.say.command(command);
    this.#run.changed();
  }
}

/** A call by a link; it prepares at once, and enters on `join`. */
export function createCall(options: CallOptions): CallCommands {
  return new Call(options);
}
