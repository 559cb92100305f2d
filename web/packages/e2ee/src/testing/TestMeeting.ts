import type { GroupEvent, GroupView } from "@conclave/wire";
import { MemberSession } from "../../wasm/e2ee";
import { KeyKeeper } from "../KeyKeeper";
import type { Member, MemberOptions } from "../member";
import type { FromWorker, ToWorker } from "../messages";
import { type KeyWorker, WorkerMember } from "../WorkerMember";
import { base64url } from "./bytes";
import { FakeServer } from "./FakeServer";
import { VirtualClock } from "./VirtualClock";

/** A device of a test: the page's member, and what its worker would hold. */
export interface TestDevice {
  readonly member: Member;
  readonly keeper: KeyKeeper;
  readonly events: GroupEvent[];
  readonly view: () => GroupView;
  readonly crashes: () => number;
}

/** Keys and constitution of a meeting, a server that is not trusted, and the devices. */
export class TestMeeting {
  readonly clock = new VirtualClock();
  readonly nodeKey: CryptoKey;
  readonly constitution: string;
  readonly #options: Pick<MemberOptions, "meeting" | "secret" | "constitution" | "digest">;
  readonly #hostKey: CryptoKey;
  readonly #server: FakeServer;
  #devices = 0;

  private constructor(server: FakeServer, host: CryptoKey, node: CryptoKey, options: Constitution) {
    this.#server = server;
    this.#hostKey = host;
    this.nodeKey = node;
    this.constitution = options.constitution;
    this.#options = options;
  }

  static async start(): Promise<TestMeeting> {
    const [host, node] = await Promise.all([keyPair(), keyPair()]);
    const server = await FakeServer.start();
    const options = await constitution(await text(host), await text(node));
    return new TestMeeting(server, host.privateKey, node.privateKey, options);
  }

  /** A device with the meeting's link, connected; with the host key if it is the host's. */
  join(name: string, role: "guest" | "host", options: Partial<MemberOptions> = {}): TestDevice {
    this.#devices += 1;
    const number = this.#devices;
    const events: GroupEvent[] = [];
    let view: GroupView | undefined;
    let crashes = 0;
    const { worker, keeper } = this.worker();
    const member = new WorkerMember(worker, {
      ...this.#options,
      hostKey: role === "host" ? this.#hostKey : undefined,
      previous: undefined,
      events: {
        onRequest: (request) => this.#server.request(number, request),
        onView: (now) => {
          view = now;
        },
        onEvent: (event) => events.push(event),
        onCrashed: () => {
          crashes += 1;
        },
      },
      ...options,
    });
    member.begin(name);
    this.#server.connect(number, (news) => member.news(news));
    return {
      member,
      keeper,
      events,
      view: () => {
        if (!view) throw new Error("nothing was shown yet");
        return view;
      },
      crashes: () => crashes,
    };
  }

  /** A host, in the group, and a guest whom the host let in. */
  async pair(): Promise<[TestDevice, TestDevice]> {
    const host = this.join("Hana", "host");
    await this.clock.until(() => host.view().state === "inGroup");
    const guest = this.join("Gil", "guest");
    const knock = await this.clock.until(() => host.view().knocks[0]);
    host.member.command({ type: "admit", knocker: knock.knocker });
    await this.clock.until(() => guest.view().state === "inGroup");
    await this.clock.until(() => host.view().people.length === 2);
    return [host, guest];
  }

  /** What the worker's script sets up, in this thread; messages are copied as browsers do. */
  worker(): { worker: KeyWorker; keeper: KeyKeeper } {
    let told: (message: FromWorker) => void = () => {};
    let running = true;
    const keeper = new KeyKeeper({
      now: this.clock.now,
      unixMs: () => Date.now(),
      after: this.clock.after,
      tell: (message) => {
        const copy = structuredClone(message);
        queueMicrotask(() => running && told(copy));
      },
      newSession: (atMs, unixMs, setup) => new MemberSession(atMs, unixMs, setup),
    });
    const worker: KeyWorker = {
      postMessage: (message: ToWorker) => {
        const copy = structuredClone(message);
        queueMicrotask(() => running && keeper.handle(copy));
      },
      listen: (listener) => {
        told = listener;
      },
      transform: () => {},
      terminate: () => {
        running = false;
      },
    };
    return { worker, keeper };
  }
}

type Constitution = Pick<MemberOptions, "meeting" | "secret" | "constitution" | "digest">;

async function constitution(hostKey: string, nodeKey: string): Promise<Constitution> {
  const meeting = base64url(crypto.getRandomValues(new Uint8Array(16)));
  const secret = base64url(crypto.getRandomValues(new Uint8Array(32)));
  const constitution = JSON.stringify({
    version: 2,
    meeting,
    suite: 0x004e,
    mode: "lobby",
    joinBeforeHost: false,
    hostKey,
    issuers: [],
    guests: true,
    nodeKey,
    jurisdictions: [],
    gateways: false,
    voiceLevel: true,
    classification: "open",
    maxMembers: 1000,
  });
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(constitution));
  return { meeting, secret, constitution, digest: base64url(hash.slice(0, 16)) };
}

async function keyPair(): Promise<CryptoKeyPair> {
  return (await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"])) as CryptoKeyPair;
}

async function text({ publicKey }: CryptoKeyPair): Promise<string> {
  return base64url(await crypto.subtle.exportKey("raw", publicKey));
}
