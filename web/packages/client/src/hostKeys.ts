/**
 * The host keys of this device: who proves to know one is a host of its meeting.
 *
 * A key is kept where scripts can use but never read it. The seed that it was made of is in the
 * host link, and nowhere else.
 * @module
 */

import type { MeetingId } from "@conclave/wire";

import { fromBase64Url } from "./base64url";

/** A host key as it is kept. */
export interface KeptHostKey {
  /** Ed25519, not extractable, to sign with. */
  readonly key: CryptoKey;
  /** Its public half: base64url of 32 bytes. */
  readonly publicKey: string;
}

/** Where host keys survive a closed browser; a test passes its own. */
export interface HostKeyShelf {
  get(meeting: MeetingId): Promise<KeptHostKey | undefined>;
  put(meeting: MeetingId, kept: KeptHostKey): Promise<void>;
}

/** What a PKCS #8 document (RFC 8410) has before the seed. */
const PKCS8_PREFIX = Uint8Array.of(
  ...[0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22],
  ...[0x04, 0x20],
);

/** The host keys that this device has. */
export class HostKeys {
  /** Those that came in on this page. */
  readonly #fresh = new Map<MeetingId, Promise<KeptHostKey>>();

  constructor(private readonly shelf: HostKeyShelf) {}

  /** Takes a seed in, from a host link or for a new meeting; answers with the public key. */
  async adopt(meeting: MeetingId, seed: Uint8Array<ArrayBuffer>): Promise<string> {
    const imported = importSeed(seed);
    this.#fresh.set(meeting, imported);
    return (await imported).publicKey;
  }

  /**
   * The key of a meeting, if this device has the one that the meeting names. Only such a key is
   * kept: a link with any other seed takes nothing away.
   */
  async find(meeting: MeetingId, publicKey: string | undefined): Promise<CryptoKey | undefined> {
    const fresh = await this.#fresh.get(meeting)?.catch(() => undefined);
    if (fresh !== undefined && fresh.publicKey === publicKey) {
      // Where the browser keeps nothing, the key lasts as long as the page.
      await this.shelf.put(meeting, fresh).catch(() => {});
      return fresh.key;
    }
    const kept = await this.shelf.get(meeting).catch(() => undefined);
    return kept !== undefined && kept.publicKey === publicKey ? kept.key : undefined;
  }
}

async function importSeed(seed: Uint8Array<ArrayBuffer>): Promise<KeptHostKey> {
  const pkcs8 = new Uint8Array([...PKCS8_PREFIX, ...seed]);
  const load = (extractable: boolean): Promise<CryptoKey> =>
    crypto.subtle.importKey("pkcs8", pkcs8, "Ed25519", extractable, ["sign"]);
  // Browsers tell the public half of a private key only by exporting it: this copy goes at once.
  const [key, copy] = await Promise.all([load(false), load(true)]);
  const { x } = await crypto.subtle.exportKey("jwk", copy);
  pkcs8.fill(0);
  if (x === undefined) throw new Error("an Ed25519 key without its public half");
  return { key, publicKey: x };
}

const DATABASE = "conclave";
const STORE = "hostKeys";

/** The browser's own shelf. */
export class IndexedDbShelf implements HostKeyShelf {
  async get(meeting: MeetingId): Promise<KeptHostKey | undefined> {
    const found: unknown = await this.#run("readonly", (store) => store.get(meeting));
    return isKept(found) ? found : undefined;
  }

  async put(meeting: MeetingId, kept: KeptHostKey): Promise<void> {
    await this.#run("readwrite", (store) => store.put(kept, meeting));
  }

  async #run<T>(
    mode: IDBTransactionMode,
    ask: (store: IDBObjectStore) => IDBRequest<T>,
  ): Promise<T> {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    const database = await settled(opening);
    try {
      return await settled(ask(database.transaction(STORE, mode).objectStore(STORE)));
    } finally {
      database.close();
    }
  }
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function isKept(value: unknown): value is KeptHostKey {
  if (typeof value !== "object" || value === null) return false;
  const { key, publicKey } = value as Partial<Record<keyof KeptHostKey, unknown>>;
  return key instanceof CryptoKey && typeof publicKey === "string" && isKeyText(publicKey);
}

function isKeyText(text: string): boolean {
  return fromBase64Url(text)?.length === 32;
}

/** A fresh seed: 32 random bytes. */
export function drawHostSeed(): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(32));
}

/** Those of this browser, for every page and call of it. */
export const deviceHostKeys = new HostKeys(new IndexedDbShelf());
