/**
 * What the tests place in a page before its own scripts run: it watches peer connections, counts
 * negotiations and measures pictures. It changes nothing that the page can notice, but for the
 * camera's picture where a test asks for a known colour.
 * @module
 */

import type { FrameCounts } from "@conclave/e2ee";

import type { Rgb } from "./colour.ts";

/** One receiving video stream. */
export interface InboundVideo {
  readonly mid: string;
  /** Its media type, such as `video/VP9`; empty before the first packet. */
  readonly codec: string;
  readonly framesDecoded: number;
  readonly frameWidth: number;
  readonly frameHeight: number;
  readonly bytes: number;
}

/** One layer of a sent video. */
export interface OutboundVideo {
  readonly rid: string;
  /** Its media type, such as `video/VP9`; empty where nothing is sent. */
  readonly codec: string;
  readonly framesEncoded: number;
  readonly frameWidth: number;
  readonly bytes: number;
}

/** The sums over all open peer connections of a page. */
export interface MediaStats {
  readonly video: readonly InboundVideo[];
  readonly framesDecoded: number;
  readonly audioEnergy: number;
  readonly audioSamples: number;
  readonly sent: readonly OutboundVideo[];
  readonly audioSent: number;
  readonly slots: { readonly audio: number; readonly video: number };
}

/** A text that went over a socket. */
export interface Traffic {
  /** Since the page began, in milliseconds. */
  readonly atMs: number;
  readonly direction: "received" | "sent";
  readonly text: string;
}

/** What {@link installProbe} leaves in the page. */
export interface Probe {
  /** All peer connections that the page made, closed ones included. */
  readonly peers: RTCPeerConnection[];
  /** Calls of `setRemoteDescription`. */
  remoteDescriptions: number;
  /** How many of these came after the page had added media sections to a running connection. */
  growths: number;
  /** The page's sockets. */
  readonly sockets: WebSocket[];
  /** Every text that a socket sent or received, in order; the newest few thousand. */
  readonly traffic: Traffic[];
  /** Tracks of cameras and microphones that the page was given. */
  readonly captured: MediaStreamTrack[];
  stats(): Promise<MediaStats>;
  /** How the key worker's frames fared: of the newest worker that runs. */
  frameCounts(): Promise<FrameCounts>;
  /** Frames that a `<video>` has shown since it was first asked for. */
  framesOf(video: HTMLVideoElement): number;
  /** The mean colour along the upper edge of a `<video>`; `undefined` before its first frame. */
  colourOf(video: HTMLVideoElement): Rgb | undefined;
}

/** A picture that a page paints instead of filming. */
export interface Painting {
  /** Fills it; a bar along the lower edge moves. */
  readonly colour: Rgb;
  readonly width: number;
  readonly height: number;
  /** Draws somebody in front of the colour instead of the bar: for pictures in documents. */
  readonly portrait?: number | undefined;
}

/** What the page's camera shows. */
export interface ProbeOptions {
  /** Replaces the picture of each camera track; `undefined` leaves the browser's fake device. */
  readonly camera: Painting | undefined;
  /** Replaces what is shared; `undefined` leaves the browser's own. */
  readonly screen: Painting | undefined;
}

declare global {
  var conclaveProbe: Probe;
}

/** Runs in the page, before its scripts. It must not refer to anything outside itself. */
export function installProbe(options: ProbeOptions): void {
  const peers: RTCPeerConnection[] = [];
  const sockets: WebSocket[] = [];
  const traffic: Traffic[] = [];
  const captured: MediaStreamTrack[] = [];

  const stats = async (): Promise<MediaStats> => {
    const video: InboundVideo[] = [];
    const sent: OutboundVideo[] = [];
    const slots = { audio: 0, video: 0 };
    let audioEnergy = 0;
    let audioSamples = 0;
    let audioSent = 0;
    for (const peer of peers) {
      if (peer.connectionState === "closed") continue;
      for (const transceiver of peer.getTransceivers()) {
        if (transceiver.direction !== "recvonly") continue;
        slots[transceiver.receiver.track.kind as "audio" | "video"] += 1;
      }
      const report = await peer.getStats();
      // biome-ignore lint/suspicious/noExplicitAny: the standard library types no member of RTCStats
      report.forEach((entry: any) => {
        if (entry.type === "inbound-rtp" && entry.kind === "video") {
          video.push({
            mid: String(entry.mid ?? entry.ssrc),
            codec: report.get(entry.codecId)?.mimeType ?? "",
            framesDecoded: entry.framesDecoded ?? 0,
            frameWidth: entry.frameWidth ?? 0,
            frameHeight: entry.frameHeight ?? 0,
            bytes: entry.bytesReceived ?? 0,
          });
        } else if (entry.type === "inbound-rtp" && entry.kind === "audio") {
          audioEnergy += entry.totalAudioEnergy ?? 0;
          audioSamples += entry.totalSamplesReceived ?? 0;
        } else if (entry.type === "outbound-rtp" && entry.kind === "video") {
          sent.push({
            rid: String(entry.rid ?? ""),
            codec: report.get(entry.codecId)?.mimeType ?? "",
            framesEncoded: entry.framesEncoded ?? 0,
            frameWidth: entry.frameWidth ?? 0,
            bytes: entry.bytesSent ?? 0,
          });
        } else if (entry.type === "outbound-rtp" && entry.kind === "audio") {
          audioSent += entry.bytesSent ?? 0;
        }
      });
    }
    const framesDecoded = video.reduce((sum, stream) => sum + stream.framesDecoded, 0);
    return { video, framesDecoded, audioEnergy, audioSamples, sent, audioSent, slots };
  };

  const keyWorkers: Worker[] = [];
  let questions = 0;
  const frameCounts = (): Promise<FrameCounts> => {
    const worker = keyWorkers.at(-1);
    if (worker === undefined) throw new Error("no key worker");
    questions += 1;
    // The page itself counts its questions upwards.
    const id = -questions;
    return new Promise((resolve) => {
      const listen = ({ data }: MessageEvent) => {
        if (data.type !== "answer" || data.id !== id) return;
        worker.removeEventListener("message", listen);
        resolve(data.answer);
      };
      worker.addEventListener("message", listen);
      worker.postMessage({ type: "ask", id, question: { type: "frameCounts" } });
    });
  };

  // Firefox counts nothing in `getVideoPlaybackQuality` of a live stream.
  const frames = new WeakMap<HTMLVideoElement, number>();
  const framesOf = (video: HTMLVideoElement): number => {
    const shown = frames.get(video);
    if (shown !== undefined) return shown;
    frames.set(video, 0);
    const count = () => {
      frames.set(video, (frames.get(video) ?? 0) + 1);
      video.requestVideoFrameCallback(count);
    };
    video.requestVideoFrameCallback(count);
    return 0;
  };

  let canvas: HTMLCanvasElement | undefined;
  const colourOf = (video: HTMLVideoElement): Rgb | undefined => {
    if (video.videoWidth === 0 || video.readyState < 2) return undefined;
    canvas ??= document.createElement("canvas");
    canvas.width = 8;
    canvas.height = 8;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    if (context === null) return undefined;
    const { videoWidth: w, videoHeight: h } = video;
    context.drawImage(video, w * 0.3, h * 0.02, w * 0.4, h * 0.08, 0, 0, 8, 8);
    const { data } = context.getImageData(0, 0, 8, 8);
    const sums: [number, number, number] = [0, 0, 0];
    for (let i = 0; i < data.length; i += 4) {
      for (const c of [0, 1, 2] as const) sums[c] += (data[i + c] ?? 0) / 64;
    }
    return sums;
  };

  const probe: Probe = {
    peers,
    remoteDescriptions: 0,
    growths: 0,
    sockets,
    traffic,
    captured,
    stats,
    frameCounts,
    framesOf,
    colourOf,
  };
  globalThis.conclaveProbe = probe;

  const noteTraffic = (direction: Traffic["direction"], text: unknown) => {
    traffic.push({ atMs: Math.round(performance.now()), direction, text: String(text) });
    if (traffic.length > 6000) traffic.splice(0, 1000);
  };
  globalThis.WebSocket = new Proxy(globalThis.WebSocket, {
    construct(target, args: [string, string[]?]) {
      const socket = new target(...args);
      sockets.push(socket);
      socket.addEventListener("message", ({ data }) => noteTraffic("received", data));
      const send = socket.send.bind(socket);
      socket.send = (data) => {
        noteTraffic("sent", data);
        send(data);
      };
      return socket;
    },
  });

  globalThis.Worker = new Proxy(globalThis.Worker, {
    construct(target, args: [string | URL, WorkerOptions?]) {
      const worker = new target(...args);
      if (args[1]?.name === "conclave-keys") keyWorkers.push(worker);
      return worker;
    },
  });

  const NativePeer = globalThis.RTCPeerConnection;
  // A test may have taken it away.
  if (NativePeer !== undefined) watchPeers();

  function watchPeers(): void {
    globalThis.RTCPeerConnection = new Proxy(NativePeer, {
      construct(target, args: [RTCConfiguration?]) {
        const peer = new target(...args);
        peers.push(peer);
        return peer;
      },
    });
    const sections = new WeakMap<RTCPeerConnection, number>();
    const describe: (description: RTCSessionDescriptionInit) => Promise<void> =
      NativePeer.prototype.setRemoteDescription;
    NativePeer.prototype.setRemoteDescription = function (
      this: RTCPeerConnection,
      description: RTCSessionDescriptionInit,
    ) {
      probe.remoteDescriptions += 1;
      const before = sections.get(this);
      const now = this.getTransceivers().length;
      sections.set(this, now);
      if (before !== undefined && now > before) probe.growths += 1;
      return describe.call(this, description);
    };
  }

  const paintPortrait = (
    context: CanvasRenderingContext2D,
    { colour, width: w, height: h, portrait = 0 }: Painting,
    step: number,
  ) => {
    const rgb = (factor: number, lift = 0) =>
      `rgb(${colour.map((part) => Math.min(255, Math.round(part * factor + lift))).join()})`;
    const pick = (choices: readonly string[]) => choices[portrait % choices.length] ?? "";
    const skin = pick(["#c98d6b", "#8d5a3b", "#e3b08f", "#a8714e", "#f0c8a8", "#6e4630"]);
    const hair = pick(["#2b211d", "#1b1514", "#6b4a2f", "#23201f", "#b08a52", "#141011"]);
    const wall = context.createLinearGradient(0, 0, w, h);
    wall.addColorStop(0, rgb(0.55, 110));
    wall.addColorStop(1, rgb(0.5, 40));
    context.fillStyle = wall;
    context.fillRect(0, 0, w, h);
    context.fillStyle = "rgb(255 255 255 / 14%)";
    context.fillRect(w * 0.06, h * 0.1, w * 0.2, h * 0.5);
    context.fillRect(w * 0.78, h * 0.18, w * 0.16, h * 0.3);
    const oval = (x: number, y: number, rx: number, ry: number, fill: string) => {
      context.fillStyle = fill;
      context.beginPath();
      context.ellipse(x, y, rx, ry, 0, 0, 2 * Math.PI);
      context.fill();
    };
    const x = w * (0.5 + 0.012 * Math.sin(step / 9 + portrait));
    const long = portrait % 2 === 0;
    if (long) oval(x, h * 0.5, h * 0.215, h * 0.3, hair);
    oval(x, h * 1.08, h * 0.42, h * 0.36, rgb(0.45, 20));
    context.fillStyle = skin;
    context.fillRect(x - h * 0.065, h * 0.6, h * 0.13, h * 0.16);
    oval(x, h * 0.755, h * 0.085, h * 0.05, skin);
    oval(x, h * 0.37, h * 0.178, h * 0.18, hair);
    oval(x, h * 0.455, h * 0.15, h * 0.2, skin);
    oval(x, h * 0.265, h * 0.135, h * 0.07, hair);
  };

  // A picture of one colour with a bar that moves along the lower edge, so that frames differ.
  const painted = (
    { colour, width, height, portrait }: Painting,
    like: MediaStreamTrack | undefined,
  ): MediaStreamTrack => {
    const surface = document.createElement("canvas");
    surface.width = width;
    surface.height = height;
    const context = surface.getContext("2d");
    if (context === null) throw new Error("no canvas");
    let step = 0;
    const paint = () => {
      step += 1;
      if (portrait !== undefined) {
        paintPortrait(context, { colour, width, height, portrait }, step);
        return;
      }
      context.fillStyle = `rgb(${colour.join()})`;
      context.fillRect(0, 0, width, height);
      context.fillStyle = "white";
      context.fillRect(((step % 16) * width) / 16, height - 12, width / 16, 12);
    };
    paint();
    // A portrait is looked at, not measured: it may leave the processor to others.
    const rate = portrait === undefined ? 15 : 5;
    const timer = setInterval(paint, 1000 / rate);
    const [track] = surface.captureStream(rate).getVideoTracks();
    if (track === undefined) throw new Error("no track");
    const settings = like?.getSettings() ?? {};
    const stop = track.stop.bind(track);
    Object.assign(track, {
      getSettings: () => ({ ...settings, width, height, frameRate: 15 }),
      applyConstraints: async () => {},
      stop: () => {
        clearInterval(timer);
        like?.stop();
        stop();
      },
    });
    like?.addEventListener("ended", () => {
      stop();
      track.dispatchEvent(new Event("ended"));
    });
    return track;
  };

  const media = navigator.mediaDevices;
  if (media === undefined) return;
  const { camera, screen } = options;
  const ask = media.getUserMedia.bind(media);
  media.getUserMedia = async (constraints) => {
    const stream = await ask(constraints);
    captured.push(...stream.getTracks());
    return stream;
  };
  if (camera !== undefined) {
    const capture = media.getUserMedia.bind(media);
    media.getUserMedia = async (constraints) => {
      const stream = await capture(constraints);
      const real = stream.getVideoTracks();
      return new MediaStream([
        ...stream.getAudioTracks(),
        ...real.map((track) => painted(camera, track)),
      ]);
    };
  }
  if (screen !== undefined) {
    media.getDisplayMedia = async () => new MediaStream([painted(screen, undefined)]);
  }
}
