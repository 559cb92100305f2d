import type {
  ConnectionQuality,
  GroupView,
  LeaveReason,
  MuteWhat,
  ParticipantId,
  ParticipantInfo,
  ParticipantQuality,
  Person,
  PublicationId,
  TrackSource,
} from "@conclave/wire";

import { cleanName } from "./displayText";
import { ServerRoster } from "./ServerRoster";
import type { Membership, ParticipantSnapshot, PersonId, VideoSnapshot } from "./snapshot";

/** Who came and who went, by name, for notices. */
export interface Comings {
  readonly joined: readonly string[];
  readonly left: readonly string[];
}

/** Whose a publication is: the only one whose frames a slot that carries it may show. */
export interface Owner {
  readonly person: PersonId;
  readonly leaf: number;
  readonly source: TrackSource;
}

/** What a slot shows of a publication. */
export type VideoLookup = (publication: PublicationId) => Pick<VideoSnapshot, "stream" | "state">;

/** So long is a newcomer one. */
const ARRIVED_MS = 60_000;

const NOBODY: Comings = { joined: [], left: [] };

/** What is shown of oneself while outside. */
const STRANGER: Membership = { role: "guest", proof: "linkOnly", nameShared: false, forbidden: [] };

/**
 * Everybody else in the call.
 *
 * Who they are, the group's tree says, and it alone. The server adds what is published on which
 * leaf and how well it gets through; a participant whose leaf is not in the tree is not shown.
 */
export class People {
  readonly #server = new ServerRoster();
  #view: GroupView | undefined;
  #others: readonly Person[] = [];
  /** In the order of coming; with when it was noticed. */
  #since = new Map<PersonId, number>();
  #participants: ReadonlyMap<number, ParticipantInfo> = new Map();
  #owners: ReadonlyMap<PublicationId, Owner> = new Map();

  constructor(private readonly nowMs: () => number) {}

  /** This device's credential, while it is in the group. */
  get self(): PersonId | undefined {
    return this.#view?.ownCredential ?? undefined;
  }

  /** Credentials of all in the group, this device's too. */
  get present(): ReadonlySet<PersonId> {
    return new Set((this.#view?.people ?? []).map(({ credential }) => credential));
  }

  /** The last other person who spoke, while in the call. */
  get activeSpeaker(): PersonId | undefined {
    const active = this.#server.activeSpeaker;
    const { credential } =
      this.#others.find(({ leaf }) => this.#participants.get(leaf)?.id === active) ?? {};
    return active === undefined ? undefined : credential;
  }

  /** Takes in the group as it is; answers with who came and went while this device was there. */
  follow(view: GroupView | undefined): Comings {
    const before = this.#view;
    const wasIn = before !== undefined && before.ownLeaf !== null;
    const isIn = view !== undefined && view.ownLeaf !== null;
    const old = this.#others;
    this.#view = view;
    this.#others = (view?.people ?? []).filter(({ isSelf }) => !isSelf);
    const nowMs = this.nowMs();
    const isOther = (id: PersonId): boolean =>
      this.#others.some(({ credential }) => credential === id);
    this.#since = new Map([...this.#since].filter(([id]) => isOther(id)));
    const came = this.#others.filter(({ credential }) => !this.#since.has(credential));
    for (const { credential } of came) this.#since.set(credential, nowMs);
    this.#match();
    const sameStay = wasIn && isIn && before.ownCredential === view.ownCredential;
    if (!sameStay) return NOBODY;
    return {
      joined: came.map(({ name }) => cleanName(name)),
      left: old.filter(({ credential }) => !isOther(credential)).map(({ name }) => cleanName(name)),
    };
  }

  /** The server states everybody anew. */
  replace(others: readonly ParticipantInfo[]): void {
    this.#server.replace(others);
    this.#match();
  }

  /** The server tells a change. */
  apply(
    present: readonly ParticipantInfo[],
    left: readonly (readonly [ParticipantId, LeaveReason])[],
  ): void {
    this.#server.apply(present, left);
    this.#match();
  }

  speakers(
    active: ParticipantId | null,
    speaking: readonly ParticipantId[],
    self: ParticipantId | undefined,
  ): void {
    this.#server.speakers(active, speaking, self);
  }

  quality(changes: readonly ParticipantQuality[]): void {
    this.#server.quality(changes);
  }

  qualityOf(id: ParticipantId | undefined): ConnectionQuality {
    return this.#server.qualityOf(id);
  }

  /** Whose a publication is; nothing if it is nobody's who is in the group. */
  ownerOf(publication: PublicationId): Owner | undefined {
    return this.#owners.get(publication);
  }

  /** Every video publication that is there to be seen. */
  videos(): ReadonlySet<PublicationId> {
    const videos = [...this.#owners].filter(([, { source }]) => isVideo(source));
    return new Set(videos.map(([id]) => id));
  }

  /** What a host has forbidden somebody. */
  forbidden(person: PersonId | undefined): readonly MuteWhat[] {
    const mutes = this.#view?.order.mutes ?? [];
    return mutes.filter(({ credential }) => credential === person).map(({ what }) => what);
  }

  /** How the group has this device. */
  ownMembership(): Membership {
    const own = this.#view?.people.find(({ isSelf }) => isSelf);
    return own === undefined ? STRANGER : this.#membership(own);
  }

  /** The others in the order in which they came in. */
  snapshot(video: VideoLookup): readonly ParticipantSnapshot[] {
    const byCredential = new Map(this.#others.map((person) => [person.credential, person]));
    return [...this.#since].flatMap(([id, sinceMs]) => {
      const person = byCredential.get(id);
      return person === undefined ? [] : [this.#snapshotOf(person, sinceMs, video)];
    });
  }

  /** When the next newcomer stops to be one, in milliseconds from now; nothing if there is none. */
  get nextSettledMs(): number | undefined {
    const nowMs = this.nowMs();
    const ages = this.#others
      .filter(({ arrived }) => arrived)
      .map(({ credential }) => nowMs - (this.#since.get(credential) ?? nowMs))
      .filter((age) => age < ARRIVED_MS);
    return ages.length === 0 ? undefined : ARRIVED_MS - Math.max(...ages);
  }

  #snapshotOf(person: Person, sinceMs: number, lookUp: VideoLookup): ParticipantSnapshot {
    const { credential, leaf, name, arrived, leaving } = person;
    const info = this.#participants.get(leaf);
    const publication = (wanted: TrackSource): PublicationId | undefined =>
      info?.publications.find(({ id, source }) => source === wanted && this.#isOf(id, person))?.id;
    const video = (source: "camera" | "screen"): VideoSnapshot | undefined => {
      const id = publication(source);
      return id === undefined ? undefined : { publication: id, source, ...lookUp(id) };
    };
    const muted = info?.presence.muted !== false || publication("microphone") === undefined;
    return {
      ...this.#membership(person),
      id: credential,
      participant: info?.id,
      name: cleanName(name),
      arrived: arrived && this.nowMs() - sinceMs < ARRIVED_MS,
      leaving,
      muted,
      speaking: !muted && info !== undefined && this.#server.isSpeaking(info.id),
      connected: info?.connected === true,
      quality: info?.connected === true ? this.#server.qualityOf(info.id) : "lost",
      camera: video("camera"),
      screen: video("screen"),
      screenAudio: publication("screenAudio") !== undefined,
    };
  }

  #membership({ role, proof, nameShared, credential }: Person): Membership {
    return { role, proof, nameShared, forbidden: this.forbidden(credential) };
  }

  #isOf(publication: PublicationId, person: Person): boolean {
    return this.#owners.get(publication)?.person === person.credential;
  }

  /** Finds out whose each publication is. One that the server gives to several is nobody's. */
  #match(): void {
    this.#participants = this.#server.byLeaf();
    const owners = new Map<PublicationId, Owner | undefined>();
    for (const { leaf, credential } of this.#others) {
      const sources = new Set<TrackSource>();
      for (const { id, source } of this.#participants.get(leaf)?.publications ?? []) {
        const isTaken = owners.has(id) || sources.has(source);
        owners.set(id, isTaken ? undefined : { person: credential, leaf, source });
        sources.add(source);
      }
    }
    this.#owners = new Map([...owners].flatMap(([id, owner]) => (owner ? [[id, owner]] : [])));
  }
}

function isVideo(source: TrackSource): boolean {
  return source === "camera" || source === "screen";
}
