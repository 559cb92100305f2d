/**
 * The floor for the time to a first frame: two pages of one browser, connected directly.
 * @module
 */

import type { BrowserContext, Page } from "playwright-core";

/** Two pages, one of which keeps a camera open to send from. */
export interface Pair {
  readonly near: Page;
  readonly far: Page;
}

/**
 * Opens two pages of `origin` that signal over a `BroadcastChannel`, the shortest way there is.
 * The far one answers each offer with its camera.
 */
export async function openPair(context: BrowserContext, origin: string): Promise<Pair> {
  const address = `${origin}/floor`;
  await context.route(address, (route) =>
    route.fulfill({ contentType: "text/html", body: "<!doctype html><title>floor</title>" }),
  );
  const [near, far] = [await context.newPage(), await context.newPage()];
  await Promise.all([near.goto(address), far.goto(address)]);
  await Promise.all([near, far].map((page) => page.evaluate(openCamera)));
  await far.evaluate(answerOffers);
  return { near, far };
}

/** Milliseconds from the creation of a connection to the first decoded frame. */
export function measureFloor({ near }: Pair): Promise<number> {
  return near.evaluate(callAndWait);
}

declare global {
  var floorCamera: MediaStream;
}

/** Runs in the page. */
async function openCamera(): Promise<void> {
  globalThis.floorCamera = await navigator.mediaDevices.getUserMedia({
    audio: true,
    video: { width: 320, height: 180 },
  });
}

/** Runs in the page. */
function answerOffers(): void {
  const channel = new BroadcastChannel("floor");
  let peer: RTCPeerConnection | undefined;
  channel.onmessage = async ({ data }) => {
    if (data.offer !== undefined) {
      peer?.close();
      peer = new RTCPeerConnection();
      peer.onicecandidate = ({ candidate }) =>
        channel.postMessage({ toNear: candidate?.toJSON() ?? null });
      for (const track of globalThis.floorCamera.getTracks()) {
        peer.addTrack(track, globalThis.floorCamera);
      }
      await peer.setRemoteDescription(data.offer);
      await peer.setLocalDescription();
      channel.postMessage({ answer: peer.localDescription?.toJSON() });
    } else if (data.toFar !== undefined && data.toFar !== null) {
      await peer?.addIceCandidate(data.toFar);
    }
  };
}

/** Runs in the page. */
async function callAndWait(): Promise<number> {
  const channel = new BroadcastChannel("floor");
  const started = performance.now();
  const peer = new RTCPeerConnection();
  const waiting: RTCIceCandidateInit[] = [];
  channel.onmessage = async ({ data }) => {
    if (data.answer !== undefined) {
      await peer.setRemoteDescription(data.answer);
      for (const candidate of waiting.splice(0)) await peer.addIceCandidate(candidate);
    } else if (data.toNear !== undefined && data.toNear !== null) {
      if (peer.remoteDescription === null) waiting.push(data.toNear);
      else await peer.addIceCandidate(data.toNear);
    }
  };
  peer.onicecandidate = ({ candidate }) =>
    channel.postMessage({ toFar: candidate?.toJSON() ?? null });

  const video = document.createElement("video");
  video.muted = true;
  let receiver: RTCRtpReceiver | undefined;
  peer.ontrack = ({ track, receiver: from }) => {
    if (track.kind !== "video") return;
    receiver = from;
    video.srcObject = new MediaStream([track]);
    void video.play();
  };
  for (const track of globalThis.floorCamera.getTracks()) {
    peer.addTrack(track, globalThis.floorCamera);
  }
  const codecs = RTCRtpReceiver.getCapabilities("video")?.codecs ?? [];
  const vp8 = codecs.filter(({ mimeType }) => /vp8|rtx|red|ulpfec/i.test(mimeType));
  for (const transceiver of peer.getTransceivers()) {
    if (transceiver.sender.track?.kind === "video") transceiver.setCodecPreferences(vp8);
  }
  await peer.setLocalDescription();
  channel.postMessage({ offer: peer.localDescription?.toJSON() });

  let decoded = 0;
  while (decoded === 0) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (performance.now() - started > 20_000) throw new Error("no frame after 20 s");
    const report = await receiver?.getStats();
    report?.forEach((entry) => {
      if (entry.type === "inbound-rtp") decoded = entry.framesDecoded ?? 0;
    });
  }
  const took = performance.now() - started;
  peer.close();
  channel.close();
  video.srcObject = null;
  return took;
}
