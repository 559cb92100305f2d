import type { Member } from "@conclave/e2ee";
import type {
  GroupCommand,
  GroupEvent,
  GroupNews,
  GroupRequest,
  GroupView,
  MemberState,
  NodeFault,
  NodeStatement,
} from "@conclave/wire";

import { toBase64Url } from "./base64url";
import type { CallEnv } from "./callEnv";
import type { Waits } from "./callMachine";
import type { MeetingLink } from "./link";
import type { CheckedMeeting } from "./MeetingCheck";
import { keepSession, recallSession } from "./session";
import type { EndReason, GroupSnapshot } from "./snapshot";

/** What {@link CallGroup} reports. */
export interface CallGroupEvents {
  /** The group is another. */
  onView(view: GroupView): void;
  onEvent(event: GroupEvent): void;
  /** This device is outside for good. */
  onOut(reason: EndReason): void;
  /** Somebody must open the door, and does not at once; or nobody needs to any more. */
  onWaits(why: Waits | undefined): void;
}

/** What {@link CallGroup} is made of. */
export interface CallGroupOptions {
  readonly link: MeetingLink;
  readonly env: Pick<CallEnv, "createMember" | "storage">;
  /** Sends it on the open socket; `false` if there is none, or the door was not asked yet. */
  readonly send: (request: GroupRequest) => boolean;
  readonly events: CallGroupEvents;
}

/** Where a door is opened by itself, or at once, nobody needs to read that they wait. */
const NOTICEABLE_WAIT_MS = 600;

/** More than any interruption that ends well brings together. */
const MAX_BACKLOG = 256;

/** Nobody's group: what is shown while there is none. */
const OUTSIDE: GroupSnapshot = {
  state: "connecting",
  locked: false,
  knocks: [],
  safetyCode: undefined,
  shield: { level: "none", basedOn: [], notCovered: [] },
};

/**
 * This device's part in the meeting's group: it keeps the member that does all the work in touch
 * with the server, over every socket, and shows what the member says.
 */
export class CallGroup {
  readonly #options: CallGroupOptions;
  /** Stands ready, and has not been to the door. */
  #prepared: Member | undefined;
  #member: Member | undefined;
  #view: GroupView | undefined;
  /** The same object for as long as the view is: what is drawn of it is not drawn again. */
  #snapshot: GroupSnapshot = OUTSIDE;
  /** What the socket did not take, and nobody would say again. */
  #backlog: GroupRequest[] = [];
  #waits: Waits | undefined;
  #waitTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: CallGroupOptions) {
    this.#options = options;
  }

  /** The group as this device has it; nothing before it has told. */
  get view(): GroupView | undefined {
    return this.#view;
  }

  get hasMember(): boolean {
    return this.#member !== undefined;
  }

  /** Whether the group has this device, as far as this device knows. */
  get hasLeaf(): boolean {
    return this.leaf !== undefined;
  }

  /** This device's leaf, as this device has it; nothing while it is outside. */
  get leaf(): number | undefined {
    return this.#view?.ownLeaf ?? undefined;
  }

  /** Makes the next member ahead: media can be set up for it before anybody joins. */
  prepare(checked: CheckedMeeting): Member {
    this.#prepared ??= this.#make(checked);
    return this.#prepared;
  }

  /** At the door: the member that stands there, or a new one. */
  atDoor(checked: CheckedMeeting, name: string): Member {
    if (this.#member === undefined) {
      this.#member = this.prepare(checked);
      this.#prepared = undefined;
      this.#member.begin(name);
    } else this.#member.reconnected();
    return this.#member;
  }

  /** The session was resumed: what could not be sent is, and what was missed is asked for. */
  resumed(): void {
    const waiting = this.#backlog;
    this.#backlog = [];
    for (const request of waiting) this.#send(request);
    this.#member?.reconnected();
  }

  news(news: GroupNews): void {
    this.#member?.news(news);
  }

  /** Asks the member for something; `false` if there is none. */
  command(command: GroupCommand): boolean {
    this.#member?.command(command);
    return this.#member !== undefined;
  }

  /** What proves a resumed session to be this device's; nothing if it has no leaf. */
  async signResume(challenge: string): Promise<string | undefined> {
    return this.#member?.signResume(challenge);
  }

  /** Whether media may go to this node, by these ways too. Without a member, it may go nowhere. */
  async verifyAnswer(
    sdp: string,
    relay: readonly string[],
    statement: NodeStatement,
  ): Promise<NodeFault | undefined> {
    if (this.#member === undefined) throw new Error("nobody to verify an answer");
    return this.#member.verifyAnswer(sdp, relay, statement);
  }

  snapshot(): GroupSnapshot {
    return this.#snapshot;
  }

  /** Ends the member; its keys are gone with it. */
  close(): void {
    this.#prepared?.close();
    this.#prepared = undefined;
    this.#member?.close();
    this.#member = undefined;
    this.#view = undefined;
    this.#snapshot = OUTSIDE;
    this.#backlog = [];
    clearTimeout(this.#waitTimer);
    this.#waits = undefined;
  }

  #make({ constitution, hostKey }: CheckedMeeting): Member {
    const { link, env, events } = this.#options;
    // A worker that was closed may have something on its way yet.
    const ifPresent =
      <Args extends readonly unknown[]>(then: (...args: Args) => void) =>
      (...args: Args): void => {
        if (member === this.#member) then(...args);
      };
    const member = env.createMember({
      meeting: link.id,
      secret: toBase64Url(link.secret),
      constitution,
      digest: link.policyDigest,
      hostKey,
      previous: recallSession(link.id, env.storage)?.previous,
      events: {
        onRequest: ifPresent((request) => this.#send(request)),
        onView: ifPresent((view) => this.#onView(view)),
        onEvent: ifPresent(events.onEvent),
        onCrashed: () => {
          // Nobody has joined with it yet: the next one may fare better.
          if (member === this.#prepared) this.#prepared = undefined;
          else if (member === this.#member) events.onOut({ kind: "crashed" });
        },
      },
    });
    return member;
  }

  #onView(view: GroupView): void {
    const { link, env, events } = this.#options;
    const { ownCredential } = view;
    if (ownCredential !== null && ownCredential !== this.#view?.ownCredential) {
      keepSession(link.id, { previous: ownCredential }, env.storage);
    }
    this.#view = view;
    this.#snapshot = snapshotOf(view);
    events.onView(view);
    const out = outOf(view.state);
    if (out !== undefined) events.onOut(out);
    else this.#noteWait(waitsFor(view.state));
  }

  #noteWait(why: Waits | undefined): void {
    if (why === this.#waits) return;
    this.#waits = why;
    clearTimeout(this.#waitTimer);
    const tell = (): void => this.#options.events.onWaits(why);
    if (why === undefined) tell();
    else this.#waitTimer = setTimeout(tell, NOTICEABLE_WAIT_MS);
  }

  #send(request: GroupRequest): void {
    if (this.#options.send(request) || !isSaidOnce(request)) return;
    this.#backlog.push(request);
    if (this.#backlog.length > MAX_BACKLOG) this.#backlog.shift();
  }
}

/**
 * Whether nobody says it again when the socket is back. A message that is lost leaves a gap in its
 * sender's count; commits are made anew, and who stands at the door asks again.
 */
function isSaidOnce(request: GroupRequest): boolean {
  switch (request.type) {
    case "app":
    case "deny":
    case "nack":
    case "ready":
      return true;
    case "commit":
    case "fetchGroup":
    case "found":
    case "knock":
    case "logSince":
      return false;
    default:
      return unreachable(request);
  }
}

function snapshotOf({ state, order, knocks, safetyCode, shield }: GroupView): GroupSnapshot {
  return { state, locked: order.locked, knocks, safetyCode: safetyCode ?? undefined, shield };
}

function waitsFor(state: MemberState): Waits | undefined {
  if (state === "knocking") return "admission";
  return state === "waitingForHost" ? "host" : undefined;
}

/** How a call ends whose member is in this state; nothing if it goes on. */
function outOf(state: MemberState): EndReason | undefined {
  switch (state) {
    case "denied":
    case "left":
    case "over":
    case "removed":
      return { kind: state };
    case "failedDevice":
    case "failedHostKey":
    case "failedInvitation":
    case "failedInviter":
    case "failedMember":
    case "failedPolicy":
      return { kind: "unverified", state };
    case "catchingUp":
    case "comingIn":
    case "connecting":
    case "forked":
    case "founding":
    case "inGroup":
    case "knocking":
    case "provingHost":
    case "refused":
    case "stranded":
    case "suspendedSilence":
    case "suspendedWithheld":
    case "waitingForHost":
      return undefined;
    default:
      return unreachable(state);
  }
}

function unreachable(value: never): never {
  throw new Error(`unhandled: ${JSON.stringify(value)}`);
}
