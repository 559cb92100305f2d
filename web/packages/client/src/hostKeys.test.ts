import { expect, test } from "vitest";

import { type HostKeyShelf, HostKeys, type KeptHostKey } from "./hostKeys";

/** A shelf that outlives a page. */
class FakeShelf implements HostKeyShelf {
  readonly kept = new Map<string, KeptHostKey>();

  async get(meeting: string): Promise<KeptHostKey | undefined> {
    return this.kept.get(meeting);
  }

  async put(meeting: string, kept: KeptHostKey): Promise<void> {
    this.kept.set(meeting, kept);
  }
}

const SEED = new Uint8Array(32).fill(7);
const OTHER = new Uint8Array(32).fill(8);

test("a key signs as the one whose public half the meeting names", async () => {
  const keys = new HostKeys(new FakeShelf());
  const publicKey = await keys.adopt("m", SEED);
  const key = await keys.find("m", publicKey);
  if (key === undefined) throw new Error("no key");
  const message = new TextEncoder().encode("I am the host");
  const signature = await crypto.subtle.sign("Ed25519", key, message);
  const jwk = { kty: "OKP", crv: "Ed25519", x: publicKey };
  const verifying = await crypto.subtle.importKey("jwk", jwk, "Ed25519", true, ["verify"]);
  expect(await crypto.subtle.verify("Ed25519", verifying, signature, message)).toBe(true);
  await expect(crypto.subtle.exportKey("jwk", key)).rejects.toThrow();
});

test("another page of this device is a host as well", async () => {
  const shelf = new FakeShelf();
  const first = new HostKeys(shelf);
  const publicKey = await first.adopt("m", SEED);
  await first.find("m", publicKey);
  expect(await new HostKeys(shelf).find("m", publicKey)).toBeDefined();
  expect(await new HostKeys(shelf).find("other", publicKey)).toBeUndefined();
});

test("a link with another seed takes no key away", async () => {
  const shelf = new FakeShelf();
  const host = new HostKeys(shelf);
  const publicKey = await host.adopt("m", SEED);
  await host.find("m", publicKey);
  const tricked = new HostKeys(shelf);
  await tricked.adopt("m", OTHER);
  expect(await tricked.find("m", publicKey)).toBeDefined();
  expect(shelf.kept.get("m")?.publicKey).toBe(publicKey);
});

test("where nothing can be kept, the key lasts as long as the page", async () => {
  const broken = () => Promise.reject(new Error("no storage"));
  const keys = new HostKeys({ get: broken, put: broken });
  const publicKey = await keys.adopt("m", SEED);
  expect(await keys.find("m", publicKey)).toBeDefined();
  expect(await keys.find("other", publicKey)).toBeUndefined();
});
