import type {
  ClientMessage,
  MuteWhat,
  Presence,
  PublishedTrack,
  TrackSource,
} from "@conclave/wire";
import type { CallMedia } from "./CallMedia";
import type { CallEnv } from "./callEnv";
import type { NoticeBoard } from "./NoticeBoard";

/** What {@link OwnTracks} is made of. */
export interface OwnTracksOptions {
  readonly devices: Pick<ReturnType<CallEnv["createDevices"]>, "live" | "heldMicrophone" | "set">;
  readonly screen: Pick<ReturnType<CallEnv["createScreen"]>, "videoTrack" | "audioTrack" | "stop">;
  readonly board: NoticeBoard;
  readonly media: Pick<CallMedia, "publish" | "withdraw" | "tracks">;
  /** Tells the server; `false` if it could not. */
  readonly send: (message: ClientMessage) => boolean;
}

const MUTES: Readonly<Record<TrackSource, MuteWhat>> = {
  microphone: "microphone",
  camera: "camera",
  screen: "screen",
  screenAudio: "screen",
};

/** What this device sends, and what the server is told of it. */
export class OwnTracks {
  #forbidden: readonly MuteWhat[] = [];
  #published = "";
  #presence = "";

  constructor(private readonly options: OwnTracksOptions) {}

  get presence(): Presence {
    return { muted: this.options.devices.live("microphone") === undefined };
  }

  isForbidden(what: MuteWhat): boolean {
    return this.#forbidden.includes(what);
  }

  /**
   * A host forbade something, or allowed it again: what is forbidden is switched off. Told only
   * within one stay: another begins with everything allowed.
   */
  obey(forbidden: readonly MuteWhat[], isSameStay: boolean): void {
    const before = this.#forbidden;
    this.#forbidden = forbidden;
    if (isSameStay) this.#announce(before);
    const { devices, screen } = this.options;
    if (this.isForbidden("microphone")) void devices.set("microphone", false);
    if (this.isForbidden("camera")) void devices.set("camera", false);
    if (this.isForbidden("screen")) screen.stop();
    this.carry();
  }

  /** Carries what the devices hold, and nothing that is forbidden. */
  carry(): void {
    const { devices, screen, media } = this.options;
    const live = devices.live("microphone");
    // Published but silent while muted: unmuting then loses no syllable.
    if (devices.heldMicrophone() === undefined || this.isForbidden("microphone")) {
      media.withdraw("microphone");
    } else media.publish("microphone", live);
    this.#carry("camera", devices.live("camera"));
    this.#carry("screen", screen.videoTrack);
    this.#carry("screenAudio", screen.audioTrack);
  }

  /** Tells the server of tracks and presence, if they changed since it was told. */
  tell(): void {
    const { media, send } = this.options;
    const tracks = media.tracks();
    const published = JSON.stringify(tracks);
    if (published !== this.#published && send({ type: "publish", tracks })) {
      this.#published = published;
    }
    const { presence } = this;
    const stated = JSON.stringify(presence);
    if (stated !== this.#presence && send({ type: "presence", presence })) {
      this.#presence = stated;
    }
  }

  /** The server was told of these tracks with an offer. */
  offered(tracks: readonly PublishedTrack[]): void {
    this.#published = JSON.stringify(tracks);
  }

  /** The server was told of this presence on the way in; of tracks it may know anything. */
  entered(presence: Presence): void {
    this.#published = "";
    this.#presence = JSON.stringify(presence);
  }

  #announce(before: readonly MuteWhat[]): void {
    const { board } = this.options;
    const added = this.#forbidden.filter((what) => !before.includes(what));
    const gone = before.filter((what) => !this.#forbidden.includes(what));
    for (const what of added) board.retract("allowed", what);
    for (const what of gone) board.retract("forbidden", what);
    for (const what of added) board.put("forbidden", { what });
    for (const what of gone) board.put("allowed", { what });
  }

  #carry(source: TrackSource, track: MediaStreamTrack | undefined): void {
    const { media } = this.options;
    if (track === undefined || this.isForbidden(MUTES[source])) media.withdraw(source);
    else media.publish(source, track);
  }
}
