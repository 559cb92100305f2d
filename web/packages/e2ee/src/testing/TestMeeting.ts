import type { GroupEvent, GroupNews, GroupRequest, GroupView } from "@conclave/wire";
import { MemberSession } from "../../wasm/e2ee";
import { KeyKeeper } from "../KeyKeeper";
import type { Member, MemberOptions } from "../member";
import type { FromWorker, ToWorker } from "../messages";
import { type KeyWorker, WorkerMember } from "../WorkerMember";
import { type Founding, founding, keyPair, publicText } from "./constitution";
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
  readonly founding: Founding;
  readonly #hostKey: CryptoKey;
  readonly #server: FakeServer;
  #devices = 0;

  private constructor(server: FakeServer, host: CryptoKey, node: CryptoKey, founding: Founding) {
    this.#server = server;
    this.#hostKey = host;
    this.nodeKey = node;
    this.founding = founding;
  }

  static async start(): Promise<TestMeeting> {
    const [host, node] = await Promise.all([keyPair(), keyPair()]);
    const server = await FakeServer.start();
    const meeting = await founding(await publicText(host), await publicText(node));
    return new TestMeeting(server, host.privateKey, node.privateKey, meeting);
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
      ...this.founding,
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

  /** Connects a device of another make: it gets the server's news, and makes requests. */
  outsider(tell: (news: GroupNews) => void): (request: GroupRequest) => void {
    this.#devices += 1;
    const number = this.#devices;
    this.#server.connect(number, tell);
    return (request) => this.#server.request(number, request);
  }

  /** A host, in the group, and a guest whom the host let in. */
  async pair(): Promise<[TestDevice, TestDevice]> {
    const host = this.join("Hana", "host");
    await this.clock.until(() => host.view().state === "inGroup");
    return [host, await this.letIn(host, "Gil")];
  }

  /** One more guest, whom the host lets in. */
  async letIn(host: TestDevice, name: string): Promise<TestDevice> {
    const guest = this.join(name, "guest");
    const knock = await this.clock.until(() => host.view().knocks[0]);
    const before = host.view().people.length;
    host.member.command({ type: "admit", knocker: knock.knocker });
    await this.clock.until(() => guest.view().state === "inGroup");
    await this.clock.until(() => host.view().people.length === before + 1);
    return guest;
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
