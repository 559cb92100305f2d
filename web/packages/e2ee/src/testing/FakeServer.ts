import type { GroupNews, GroupRequest } from "@conclave/wire";
import { PublicTree } from "../../wasm/vectors";
import { base64url, fromBase64url } from "./bytes";

/** A delivery service that takes whatever is valid, in the order that it comes. */
export class FakeServer {
  readonly #serverKey: string;
  readonly #devices = new Map<number, (news: GroupNews) => void>();
  readonly #members = new Set<number>();
  readonly #knocks = new Map<number, string>();
  #ready = new Set<number>();
  #tree: PublicTree | undefined;
  #info = "";

  private constructor(serverKey: string) {
    this.#serverKey = serverKey;
  }

  static async start(): Promise<FakeServer> {
    const { publicKey } = (await crypto.subtle.generateKey("Ed25519", true, [
      "sign",
      "verify",
    ])) as CryptoKeyPair;
    return new FakeServer(base64url(await crypto.subtle.exportKey("raw", publicKey)));
  }

  connect(device: number, tell: (news: GroupNews) => void): void {
    this.#devices.set(device, tell);
    tell(this.#meeting());
  }

  request(from: number, request: GroupRequest): void {
    switch (request.type) {
      case "found":
        this.#found(from, request.groupInfo, request.tree);
        break;
      case "knock":
        this.#knocks.set(from, request.keyPackage);
        this.#toMembers({ type: "knock", from, keyPackage: request.keyPackage });
        break;
      case "deny":
        this.#knocks.delete(request.knocker);
        this.#to(request.knocker, { type: "denied" });
        break;
      case "commit":
        this.#commit(from, request);
        break;
      case "fetchGroup":
        if (this.#tree)
          this.#to(from, { type: "group", groupInfo: this.#info, tree: this.#text() });
        break;
      case "app":
        this.#toMembers({ type: "app", message: request.message }, from);
        break;
      case "ready":
        this.#ready.add(from);
        if (this.#ready.size === this.#members.size) {
          this.#toMembers({ type: "allReady", epoch: request.epoch });
        }
        break;
      case "logSince":
        this.#to(from, { type: "log", messages: [] });
        break;
      case "nack":
        throw new Error("an honest commit was called broken");
    }
  }

  #found(from: number, groupInfo: string, tree: string): void {
    if (this.#tree) {
      this.#to(from, { type: "foundLost" });
      return;
    }
    this.#tree = new PublicTree(fromBase64url(groupInfo), fromBase64url(tree));
    this.#info = groupInfo;
    this.#members.add(from);
    this.#to(from, { type: "founded" });
    for (const device of this.#devices.keys()) {
      if (device !== from) this.#to(device, this.#meeting());
    }
  }

  #commit(from: number, request: GroupRequest & { type: "commit" }): void {
    const tree = this.#tree;
    if (!tree) return;
    const epoch = tree.epoch();
    try {
      tree.commit(fromBase64url(request.commit));
    } catch {
      this.#to(from, { type: "rejected", epoch });
      return;
    }
    this.#info = request.groupInfo;
    this.#ready = new Set();
    this.#to(from, { type: "accepted", epoch });
    this.#toMembers({ type: "commit", commit: request.commit }, from);
    this.#members.add(from);
    if (request.welcome === null) return;
    for (const knocker of this.#knocks.keys()) {
      this.#members.add(knocker);
      this.#to(knocker, { type: "welcome", welcome: request.welcome, tree: this.#text() });
    }
    this.#knocks.clear();
  }

  #meeting(): GroupNews {
    const hasGroup = this.#tree !== undefined;
    return { type: "meeting", serverKey: this.#serverKey, hasGroup, hasAdmitter: hasGroup };
  }

  #text(): string {
    return base64url(this.#tree?.tree() ?? new Uint8Array());
  }

  #toMembers(news: GroupNews, except?: number): void {
    for (const member of this.#members) {
      if (member !== except) this.#to(member, news);
    }
  }

  #to(device: number, news: GroupNews): void {
    this.#devices.get(device)?.(news);
  }
}
