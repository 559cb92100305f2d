/**
 * A member of a meeting's group that shares no code with ours: it is ts-mls, and what
 * `docs/protocol` says beyond MLS.
 * @module
 */

import {
  type CiphersuiteImpl,
  type CiphersuiteName,
  type ClientState,
  ciphersuites,
  createApplicationMessage,
  createCommit,
  decodeMlsMessage,
  defaultCryptoProvider,
  encodeMlsMessage,
  generateKeyPackageWithKey,
  joinGroup,
  joinGroupExternal,
  type KeyPackage,
  type MLSMessage,
  type MlsMessageContent,
  makePskIndex,
  mlsExporter,
  type PrivateKeyPackage,
  type Proposal,
  processMessage,
} from "ts-mls";
import { encode as encodeWith } from "ts-mls/codec/tlsEncoder.js";
import { varLenDataEncoder } from "ts-mls/codec/variableLength.js";
import { createGroupInfo } from "ts-mls/createCommit.js";
import { decodeRatchetTree, encodeRatchetTree, type RatchetTree } from "ts-mls/ratchetTree.js";
import { fromBase64url } from "./bytes";
import type { Founding } from "./constitution";

/** The algorithms of the suites that meetings use, by number. */
const SUITES = {
  1: {
    hash: "SHA-256",
    hpke: { kem: "DHKEM-X25519-HKDF-SHA256", aead: "AES128GCM", kdf: "HKDF-SHA256" },
    signature: "Ed25519",
  },
  78: {
    hash: "SHA-384",
    hpke: { kem: "X-Wing", aead: "AES256GCM", kdf: "HKDF-SHA384" },
    signature: "Ed25519",
  },
} as const;

type Suite = keyof typeof SUITES;

const EXTENSIONS = { constitution: 0xf0a1, identity: 0xf0a2, order: 0xf0a3 } as const;

/** The link's pre-shared key. */
interface LinkPsk {
  readonly pskId: Uint8Array;
  readonly psk: Uint8Array;
}

/** Its keys, before it is in the group. */
export class ForeignDevice {
  readonly #link: LinkPsk;
  readonly #cs: CiphersuiteImpl;
  readonly #public: KeyPackage;
  readonly #private: PrivateKeyPackage;

  private constructor(
    link: LinkPsk,
    cs: CiphersuiteImpl,
    keyPackage: KeyPackage,
    privatePackage: PrivateKeyPackage,
  ) {
    this.#link = link;
    this.#cs = cs;
    this.#public = keyPackage;
    this.#private = privatePackage;
  }

  /** A device with the link; a host's if it has the host key. */
  static async make(founding: Founding, name: string, hostKey?: CryptoKey): Promise<ForeignDevice> {
    const meeting = bytes(fromBase64url(founding.meeting));
    const derived = (info: string) => hkdf(fromBase64url(founding.secret), meeting, text(info), 32);
    const psk = await derived("conclave/1 psk");
    const profile = await sealed(await derived("conclave/1 meta"), JSON.stringify({ name }));
    const cs = await suiteOf(JSON.parse(founding.constitution).suite);

    const signing = await cs.signature.keygen();
    const identity = crypto.getRandomValues(new Uint8Array(16));
    const statement = concat(text("conclave/1 host leaf"), meeting, identity, signing.publicKey);
    const proof = hostKey
      ? concat([1, 1], new Uint8Array(await crypto.subtle.sign("Ed25519", hostKey, statement)))
      : concat([1, 0]);

    const now = BigInt(Math.floor(Date.now() / 1000));
    const keys = await generateKeyPackageWithKey(
      { credentialType: "basic", identity },
      {
        versions: ["mls10"],
        ciphersuites: [cs.name],
        extensions: Object.values(EXTENSIONS),
        proposals: [],
        credentials: ["basic"],
      },
      { notBefore: now - 3600n, notAfter: now + 3600n },
      [],
      signing,
      cs,
      [{ extensionType: EXTENSIONS.identity, extensionData: concat(proof, profile) }],
    );
    const link = { psk, pskId: concat(text("link:v1:"), meeting) };
    return new ForeignDevice(link, cs, keys.publicPackage, keys.privatePackage);
  }

  /** What it knocks with. */
  get keyPackage(): Uint8Array {
    const message = { wireformat: "mls_key_package", keyPackage: this.#public } as const;
    return encode(message).slice(MESSAGE_HEADER.length);
  }

  /** Joins by a Welcome, with the tree that the server has. */
  async join(welcome: Uint8Array, tree: Uint8Array): Promise<ForeignMember> {
    const message = decode(welcome);
    if (message.wireformat !== "mls_welcome") throw new Error("no Welcome");
    const psks = psksOf(this.#link);
    const state = await joinGroup(
      message.welcome,
      this.#public,
      this.#private,
      psks,
      this.#cs,
      treeOf(tree),
    );
    return new ForeignMember(this.#link, this.#cs, state);
  }

  /** An external commit, which in this implementation cannot carry a PSK. */
  async commitFromOutside(groupInfo: Uint8Array, tree: Uint8Array): Promise<Uint8Array> {
    const message = decode(groupInfo);
    if (message.wireformat !== "mls_group_info") throw new Error("no GroupInfo");
    const { publicMessage } = await joinGroupExternal(
      message.groupInfo,
      this.#public,
      this.#private,
      false,
      readingExternalPub(this.#cs, this.#public.initKey.length),
      treeOf(tree),
    );
    return encode({ wireformat: "mls_public_message", publicMessage });
  }
}

/** It, in the group. */
export class ForeignMember {
  readonly #link: LinkPsk;
  readonly #cs: CiphersuiteImpl;
  #state: ClientState;

  constructor(link: LinkPsk, cs: CiphersuiteImpl, state: ClientState) {
    this.#link = link;
    this.#cs = cs;
    this.#state = state;
  }

  get epoch(): number {
    return Number(this.#state.groupContext.epoch);
  }

  get leaf(): number {
    return this.#state.privatePath.leafIndex;
  }

  get isActive(): boolean {
    return this.#state.groupActiveState.kind === "active";
  }

  get transcriptHash(): Uint8Array {
    return this.#state.groupContext.confirmedTranscriptHash;
  }

  get tree(): Uint8Array {
    return encodeRatchetTree(this.#state.ratchetTree);
  }

  /** MLS-Exporter with an empty context, 32 bytes. */
  exported(label: string): Promise<Uint8Array> {
    const { exporterSecret } = this.#state.keySchedule;
    return mlsExporter(exporterSecret, label, new Uint8Array(), 32, this.#cs);
  }

  /** What people read to each other. */
  async safetyCode(): Promise<string> {
    const { groupId, epoch } = this.#state.groupContext;
    const counted = new Uint8Array(8);
    new DataView(counted.buffer).setBigUint64(0, epoch);
    const info = concat(text("conclave/1 safety code"), groupId, counted);
    const authenticator = this.#state.keySchedule.epochAuthenticator;
    const numbers = new DataView((await hkdf(authenticator, new Uint8Array(), info, 48)).buffer);
    const digits = [0, 8, 16, 24, 32, 40].map((at) => numbers.getBigUint64(at) % 100_000n);
    return digits.map((number) => String(number).padStart(5, "0")).join(" ");
  }

  /** Takes a message in: what a member says, or nothing of a commit. */
  async receive(bytes: Uint8Array): Promise<Uint8Array | undefined> {
    const message = decode(bytes);
    if (
      message.wireformat !== "mls_public_message" &&
      message.wireformat !== "mls_private_message"
    ) {
      throw new Error(`a message of the group was expected, not ${message.wireformat}`);
    }
    const psks = psksOf(this.#link, this.#state);
    const accept = () => "accept" as const;
    const came = await processMessage(message, this.#state, psks, accept, this.#cs);
    this.#state = came.newState;
    return came.kind === "applicationMessage" ? came.message : undefined;
  }

  async send(message: Uint8Array): Promise<Uint8Array> {
    const sent = await createApplicationMessage(this.#state, message, this.#cs);
    this.#state = sent.newState;
    return encode({ wireformat: "mls_private_message", privateMessage: sent.privateMessage });
  }

  /** Commits a new path. */
  async update(): Promise<Uint8Array> {
    return (await this.#commit([])).commit;
  }

  /** Lets in who knocked with a key package. */
  async admit(
    keyPackage: Uint8Array,
  ): Promise<{ readonly commit: Uint8Array; readonly welcome: Uint8Array }> {
    const knock = decode(concat(MESSAGE_HEADER, keyPackage));
    if (knock.wireformat !== "mls_key_package") throw new Error("no key package");
    const pskNonce = crypto.getRandomValues(new Uint8Array(this.#cs.kdf.size));
    const preSharedKeyId = { psktype: "external", pskId: this.#link.pskId, pskNonce } as const;
    const { commit, welcome } = await this.#commit([
      { proposalType: "add", add: { keyPackage: knock.keyPackage } },
      { proposalType: "psk", psk: { preSharedKeyId } },
    ]);
    if (!welcome) throw new Error("no Welcome");
    return { commit, welcome };
  }

  async #commit(
    extraProposals: Proposal[],
  ): Promise<{ readonly commit: Uint8Array; readonly welcome: Uint8Array | undefined }> {
    const pskIndex = psksOf(this.#link, this.#state);
    const context = { state: this.#state, cipherSuite: this.#cs, pskIndex };
    const made = await createCommit(context, { extraProposals, wireAsPublicMessage: true });
    this.#state = made.newState;
    const welcome = made.welcome && encode({ wireformat: "mls_welcome", welcome: made.welcome });
    return { commit: encodeMlsMessage(made.commit), welcome };
  }

  /** The group's public description, for those who come in alone. */
  async groupInfo(): Promise<Uint8Array> {
    const { groupContext, confirmationTag, keySchedule } = this.#state;
    const { publicKey } = await this.#cs.hpke.deriveKeyPair(keySchedule.externalSecret);
    const key = await this.#cs.hpke.exportPublicKey(publicKey);
    const groupInfo = await createGroupInfo(
      groupContext,
      confirmationTag,
      this.#state,
      [{ extensionType: "external_pub", extensionData: encodeWith(varLenDataEncoder)(key) }],
      this.#cs,
    );
    return encode({ wireformat: "mls_group_info", groupInfo });
  }
}

/**
 * Its implementation of a suite under our number. It numbers suites that are drafts in its own way;
 * a name of it stands for the number alone.
 */
function suiteOf(suite: Suite): Promise<CiphersuiteImpl> {
  const found = Object.entries(ciphersuites).find(([, number]) => number === suite);
  const name = found?.[0] as CiphersuiteName;
  return defaultCryptoProvider.getCiphersuiteImpl({ ...SUITES[suite], name });
}

/**
 * Reads extension external_pub: its key has its length before it (RFC 9420 sections 5.1.1 and
 * 12.4.3.2), which ts-mls neither reads nor writes.
 */
function readingExternalPub(cs: CiphersuiteImpl, keyLength: number): CiphersuiteImpl {
  const importPublicKey = (key: Uint8Array) => cs.hpke.importPublicKey(key.slice(-keyLength));
  return { ...cs, hpke: { ...cs.hpke, importPublicKey } };
}

function psksOf({ pskId, psk }: LinkPsk, state?: ClientState) {
  return makePskIndex(state, { [Buffer.from(pskId).toString("base64")]: psk });
}

async function sealed(key: Uint8Array<ArrayBuffer>, profile: string): Promise<Uint8Array> {
  const nonce = crypto.getRandomValues(new Uint8Array(12));
  const cipher = { name: "AES-GCM", iv: nonce, additionalData: text("conclave/1 profile") };
  const imported = await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["encrypt"]);
  const blob = await crypto.subtle.encrypt(cipher, imported, text(profile));
  return concat(nonce, new Uint8Array(blob));
}

async function hkdf(
  ikm: Uint8Array,
  salt: Uint8Array,
  info: Uint8Array,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const key = await crypto.subtle.importKey("raw", bytes(ikm), "HKDF", false, ["deriveBits"]);
  const params = { name: "HKDF", hash: "SHA-256", salt: bytes(salt), info: bytes(info) };
  return new Uint8Array(await crypto.subtle.deriveBits(params, key, length * 8));
}

/** `version || wire_format` of an MLSMessage that is a key package. */
const MESSAGE_HEADER = new Uint8Array([0, 1, 0, 5]);

function encode(message: MlsMessageContent): Uint8Array {
  return encodeMlsMessage({ version: "mls10", ...message });
}

function decode(bytes: Uint8Array): MLSMessage {
  const [message, length] = decodeMlsMessage(bytes, 0) ?? [];
  if (!message || length !== bytes.length) throw new Error("no message of MLS");
  return message;
}

function treeOf(bytes: Uint8Array): RatchetTree {
  const [tree, length] = decodeRatchetTree(bytes, 0) ?? [];
  if (!tree || length !== bytes.length) throw new Error("no ratchet tree");
  return tree;
}

function text(words: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(words);
}

function bytes(from: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(from);
}

function concat(...parts: readonly ArrayLike<number>[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(parts.flatMap((part) => Array.from(part)));
}
