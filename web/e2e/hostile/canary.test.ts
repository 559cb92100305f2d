/**
 * What the server can know: all that passes over its network, all that is in its memory and all
 * that is in its files are searched for what only members may know.
 */

import type { Worker } from "playwright-core";

import { Capture } from "../src/capture.ts";
import { openChat, readsInChat, writes } from "../src/group.ts";
import { createLobby } from "../src/meeting.ts";
import { Finder, formsOfBytes, formsOfText, type Needle } from "../src/memory.ts";
import { Person } from "../src/person.ts";
import { test, Violation } from "../src/runner.ts";
import type { Server } from "../src/server.ts";
import { until } from "../src/until.ts";

const TITLE = "Merger with Initech by Michaelmas";
const HOST = "Hana Quillfeather";
const GUEST = "Gustav Ozymandias";
const CHAT = "the heron lands at the eleventh pier";
const ANSWER = "then the lantern must be green";

/** Frames as the key worker had them, newest last: some bytes out of the middle of each. */
interface Spied {
  readonly plain: string[];
  readonly sealed: string[];
}

declare global {
  var spied: Spied;
}

test(
  "neither packets nor the server's memory nor its files hold what was said, shown, or who is there",
  async (stage) => {
    const { server, network } = await stage.serverBehindNetwork();
    const capture = await Capture.on(network.device);
    stage.after(() => capture.close());
    const links = await createLobby(server, TITLE);

    const hostTab = await stage.openChromium({ label: "Hana", colour: "red", portrait: 1 });
    await hostTab.goto(links.host);
    const host = Person.at(hostTab, HOST);
    await host.isBeforeCall();
    await host.join();
    const guest = await Person.arrive(stage, "firefox", links.guest, {
      name: GUEST,
      colour: "blue",
    });
    await guest.pressJoin();
    await hostTab.click("button", `Let in ${GUEST}`);
    await Promise.all([guest.tileOf(HOST), host.sees(GUEST, "blue")]);
    const keys = await until("the key worker", () => keyWorker(hostTab.page.workers()));
    await keys.evaluate(spyOnFrames);
    await Promise.all([openChat(host), openChat(guest)]);
    await writes(host, CHAT);
    await readsInChat(guest, CHAT);
    await writes(guest, ANSWER);
    await readsInChat(host, ANSWER);
    const spied = await until("enough frames", async () => {
      const frames = await keys.evaluate(() => globalThis.spied);
      return frames.plain.length >= 100 && frames.sealed.length >= 100 && frames;
    });

    server.freeze();
    const secrets = new Finder([...secretsOf(links.host), ...framesOf(spied)]);
    const held = [...secrets.inMemory(server.pid), ...secrets.inFiles(server.folder)];
    if (held.length > 0) throw new Violation(`the server holds ${held.join("; ")}`);
    controlMemory(server, links.host, spied);
    server.thaw();

    const packets = await capture.end();
    const seen = [...secrets.in(packets)];
    if (seen.length > 0) throw new Violation(`packets hold ${seen.join("; ")}`);
    const ufrag = await hostTab.evaluate(() => {
      const sdp = conclaveProbe.peers.at(-1)?.localDescription?.sdp ?? "";
      return /a=ice-ufrag:(\S+)/.exec(sdp)?.[1] ?? "";
    });
    const control = new Finder([{ what: "ICE's user name", bytes: Buffer.from(ufrag) }]);
    if (control.in(packets).size === 0) throw new Error("the capture saw no packet of the call");
    stage.note(`${packets.length} bytes of packets, ${spied.plain.length} frames`);

    await checkSignalling(host, links.host);
    await checkSignalling(guest, links.host);
  },
  { skip: ({ network }) => (typeof network === "string" ? network : Capture.obstacle()) },
);

/** What the search must find where it is known to be: else it would find nothing anywhere. */
function controlMemory(server: Server, link: string, { sealed }: Spied): void {
  const id = new URL(link).pathname.split("/").at(-1) ?? "";
  const known = new Finder([
    { what: "the meeting's id", bytes: Buffer.from(id) },
    ...sealed.map((hex) => ({ what: "a sealed frame", bytes: Buffer.from(hex, "hex") })),
  ]);
  const inMemory = known.inMemory(server.pid);
  for (const what of ["the meeting's id", "a sealed frame"]) {
    if (!inMemory.has(what)) throw new Error(`the search does not find ${what} in the memory`);
  }
  const bytes = formsOfBytes("the id", Buffer.from(id, "base64url"));
  const inFiles = new Finder([{ what: "the id", bytes: Buffer.from(id) }, ...bytes]);
  if (inFiles.inFiles(server.folder).size === 0) {
    throw new Error("the search does not find the meeting's id in the files");
  }
}

/** What the page and the server said to each other, which TLS hides from a capture. */
async function checkSignalling({ tab, name }: Person, link: string): Promise<void> {
  const traffic = await tab.evaluate(() => conclaveProbe.traffic.map(({ text }) => text));
  const said = Buffer.from(traffic.join("\n"));
  const found = [...new Finder(secretsOf(link)).in(said)];
  if (found.length > 0) throw new Violation(`${name} and the server spoke of ${found.join("; ")}`);
  if (!said.includes('"type":"group"')) throw new Error("no message of the group was seen");
}

function secretsOf(hostLink: string): Needle[] {
  const [, secret = "", , seed = ""] = new URL(hostLink).hash.slice(1).split(".");
  return [
    ...formsOfText("the title", TITLE),
    ...formsOfText("the host's name", HOST),
    ...formsOfText("the guest's name", GUEST),
    ...formsOfText("a message", CHAT),
    ...formsOfText("the answer", ANSWER),
    ...formsOfText("the link's secret as text", secret),
    ...formsOfBytes("the link's secret", Buffer.from(secret, "base64url")),
    ...formsOfText("the host key as text", seed),
    ...formsOfBytes("the host key", Buffer.from(seed, "base64url")),
  ];
}

function framesOf({ plain }: Spied): Needle[] {
  return plain.map((hex) => ({ what: "a frame in the clear", bytes: Buffer.from(hex, "hex") }));
}

async function keyWorker(workers: readonly Worker[]): Promise<Worker | undefined> {
  for (const worker of workers) {
    if ((await worker.evaluate(() => self.name)) === "conclave-keys") return worker;
  }
  return undefined;
}

/** Runs in the key worker: keeps some bytes of what goes into frames and of what was there before. */
function spyOnFrames(): void {
  const spied: Spied = { plain: [], sealed: [] };
  globalThis.spied = spied;
  const keep = (list: string[], data: ArrayBuffer) => {
    const at = Math.floor(data.byteLength / 2);
    const sample = new Uint8Array(data.slice(at, at + 24));
    // What is uniform is found anywhere.
    if (sample.length < 24 || new Set(sample).size < 16) return;
    list.push([...sample].map((byte) => byte.toString(16).padStart(2, "0")).join(""));
    if (list.length > 400) list.shift();
  };
  for (const type of ["RTCEncodedVideoFrame", "RTCEncodedAudioFrame"]) {
    const { prototype } = (globalThis as unknown as Record<string, { prototype: object }>)[
      type
    ] ?? { prototype: {} };
    const { get, set } = Object.getOwnPropertyDescriptor(prototype, "data") ?? {};
    if (get === undefined || set === undefined) throw new Error(`${type} has no data`);
    Object.defineProperty(prototype, "data", {
      get,
      set(this: object, data: ArrayBuffer) {
        const before = get.call(this) as ArrayBuffer;
        const [plain, sealed] =
          before.byteLength < data.byteLength ? [before, data] : [data, before];
        keep(spied.plain, plain);
        keep(spied.sealed, sealed);
        set.call(this, data);
      },
    });
  }
}
