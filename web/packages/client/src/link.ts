/**
 * The meeting link and what is derived from its secret.
 *
 * A link names a meeting and carries, in its fragment, a secret that no server sees. From that
 * secret come the token that the server checks and the key under which the title is sealed. A host
 * link carries the host key's seed as well. `crates/core/link` is the same in Rust; both are tested
 * by its `vectors.json`.
 * @module
 */

import type { MeetingId, SealedBlob } from "@conclave/wire";

import { fromBase64Url, toBase64Url } from "./base64url";
import { cleanTitle } from "./displayText";
import { deviceHostKeys, type HostKeys } from "./hostKeys";

/** Where a meeting is, which it is, and the secret that lets a person in. Never for logs. */
export interface MeetingLink {
  /** `https://host[:port]`, without a slash at the end. */
  readonly origin: string;
  readonly id: MeetingId;
  /** 32 bytes. */
  readonly secret: Uint8Array<ArrayBuffer>;
  /** 22 characters of base64url: the first 16 bytes of the SHA-256 of the policy's text. */
  readonly policyDigest: string;
  /**
   * What makes a host of whoever holds the link: 32 bytes, only in a host link just parsed.
   * {@link claimLink} and {@link keepLink} make a key of this device of it and drop it.
   */
  readonly hostSeed?: Uint8Array<ArrayBuffer>;
}

/** The version of the fragment's form that this client reads and writes. */
const LINK_VERSION = "1";

const ID_BYTES = 16;
const SECRET_BYTES = 32;
const SEED_BYTES = 32;
const DIGEST_BYTES = 16;
const NONCE_BYTES = 12;

/** Which part of a link is wrong. */
export type LinkPart =
  /** The fragment has not the parts version, secret and policy digest. */
  | "fragment"
  /** The host seed is not 43 characters of base64url. */
  | "hostSeed"
  /** The meeting id is not 22 characters of base64url. */
  | "meeting"
  /** There is no fragment, so no secret: the link was cut off at `#`. */
  | "noFragment"
  /** The origin is not `https://host[:port]`. */
  | "origin"
  /** The path is not `/m/<meeting id>`. */
  | "path"
  /** The policy digest is not 22 characters of base64url. */
  | "policyDigest"
  /** The secret is not 43 characters of base64url. */
  | "secret"
  /** The fragment is of a version that this client does not know. */
  | "version";

/** A text is not a meeting link. The message does not repeat the text: it may hold a secret. */
export class ParseLinkError extends Error {
  override readonly name = "ParseLinkError";

  constructor(readonly part: LinkPart) {
    super(`not a meeting link: ${part}`);
  }
}

/**
 * Parses a link. White space around it is dropped: links are pasted.
 * @throws {ParseLinkError}
 */
export function parseLink(text: string): MeetingLink {
  const trimmed = text.trim();
  const hash = trimmed.indexOf("#");
  const address = /^(\w+:\/\/[^/]*)(\/.*)?$/.exec(hash < 0 ? trimmed : trimmed.slice(0, hash));
  const origin = parseOrigin(address?.[1] ?? "");
  if (hash < 0) throw new ParseLinkError("noFragment");
  return parseParts(origin, address?.[2] ?? "", trimmed.slice(hash + 1));
}

/** The guests' link as text, for the person who shares it: never with what makes a host. */
export function formatLink(link: MeetingLink): string {
  return `${link.origin}/m/${link.id}#${formatFragment(link)}`;
}

/** The host link as text, for another device of the host's. */
export function formatHostLink(link: MeetingLink, seed: Uint8Array): string {
  return `${formatLink(link)}.${toBase64Url(seed)}`;
}

function formatFragment({ secret, policyDigest }: MeetingLink): string {
  return `${LINK_VERSION}.${toBase64Url(secret)}.${policyDigest}`;
}

/** A random id for a new meeting. */
export function drawMeetingId(): MeetingId {
  return toBase64Url(randomBytes(ID_BYTES));
}

/** A link with a random secret to a new meeting of this policy. */
export async function makeLink(
  origin: string,
  id: MeetingId,
  policy: string,
): Promise<MeetingLink> {
  return {
    origin,
    id,
    secret: randomBytes(SECRET_BYTES),
    policyDigest: await policyDigest(policy),
  };
}

/** What a link says of its meeting's policy. A server that hands out another is caught by it. */
export async function policyDigest(policy: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", utf8(policy));
  return toBase64Url(new Uint8Array(digest, 0, DIGEST_BYTES));
}

function parseOrigin(text: string): string {
  // No user, no path; a name in ASCII, an IPv4 address or an IPv6 address in brackets.
  const form = /^https:\/\/(?:[\w-]{1,63}(?:\.[\w-]{1,63})*|\[[\da-f:.]+\])(?::(\d+))?$/i.exec(
    text,
  );
  if (form === null || !URL.canParse(text)) throw new ParseLinkError("origin");
  const port = form[1];
  if (port !== undefined && Number(port) === 0) throw new ParseLinkError("origin");
  return new URL(text).origin;
}

function parseParts(origin: string, path: string, fragment: string): MeetingLink {
  if (!path.startsWith("/m/")) throw new ParseLinkError("path");
  const id = path.slice("/m/".length);
  if (fromBase64Url(id)?.length !== ID_BYTES) throw new ParseLinkError("meeting");

  const [version, rest] = splitOnce(fragment);
  if (rest === undefined) throw new ParseLinkError("fragment");
  if (version !== LINK_VERSION) throw new ParseLinkError("version");
  const [secretText, digestAndSeed] = splitOnce(rest);
  if (digestAndSeed === undefined) throw new ParseLinkError("fragment");
  const [digest, seedText] = splitOnce(digestAndSeed);
  const secret = fromBase64Url(secretText);
  if (secret?.length !== SECRET_BYTES) throw new ParseLinkError("secret");
  if (fromBase64Url(digest)?.length !== DIGEST_BYTES) throw new ParseLinkError("policyDigest");
  const link: MeetingLink = { origin, id, secret, policyDigest: digest };
  if (seedText === undefined) return link;
  const hostSeed = fromBase64Url(seedText);
  if (hostSeed?.length !== SEED_BYTES) throw new ParseLinkError("hostSeed");
  return { ...link, hostSeed };
}

function splitOnce(text: string): readonly [string, string | undefined] {
  const dot = text.indexOf(".");
  return dot < 0 ? [text, undefined] : [text.slice(0, dot), text.slice(dot + 1)];
}

/** What is derived from a link's secret. The sealing key cannot be exported from the browser. */
export interface LinkKeys {
  /** What a link holder shows the server: 43 characters of base64url. */
  readonly token: string;
  /** What the server stores of it: its SHA-256. */
  readonly tokenHash: string;
  /** What the title is sealed under. */
  readonly meta: CryptoKey;
}

/** Derives the keys: HKDF-SHA-256 (RFC 5869) with the meeting id's bytes as salt. */
export async function deriveKeys(link: MeetingLink): Promise<LinkKeys> {
  const salt = fromBase64Url(link.id);
  if (salt === undefined) throw new ParseLinkError("meeting");
  const secret = await crypto.subtle.importKey("raw", link.secret, "HKDF", false, [
    "deriveBits",
    "deriveKey",
  ]);
  const hkdf = (info: string): HkdfParams => ({
    name: "HKDF",
    hash: "SHA-256",
    salt,
    info: utf8(info),
  });
  const aes = { name: "AES-GCM", length: 256 };
  const [token, meta] = await Promise.all([
    crypto.subtle.deriveBits(hkdf("conclave/1 token"), secret, 256),
    crypto.subtle.deriveKey(hkdf("conclave/1 meta"), secret, aes, false, ["encrypt", "decrypt"]),
  ]);
  const hash = await crypto.subtle.digest("SHA-256", token);
  return {
    token: toBase64Url(new Uint8Array(token)),
    tokenHash: toBase64Url(new Uint8Array(hash)),
    meta,
  };
}

/** Bound into the blob, so that the server cannot pass another off as a title. */
const TITLE_AAD = "conclave/1 title";

/** Why a blob does not open. */
export type OpenFault =
  /** It was damaged, forged, sealed under another link, or sealed as something else. */
  | "authentication"
  /** It opens, but what its author sealed is not of the form expected. */
  | "content"
  /** It is not base64url, or ends before its nonce does. */
  | "truncated";

/** A sealed blob does not open. */
export class OpenError extends Error {
  override readonly name = "OpenError";

  constructor(readonly fault: OpenFault) {
    super(`the blob does not open: ${fault}`);
  }
}

/** Seals a meeting's title, cleaned. */
export function sealTitle(meta: CryptoKey, title: string): Promise<SealedBlob> {
  return seal(meta, TITLE_AAD, cleanTitle(title));
}

/**
 * Opens a meeting's title; what comes out is cleaned.
 * @throws {OpenError}
 */
export async function openTitle(meta: CryptoKey, blob: SealedBlob): Promise<string> {
  return cleanTitle(await open(meta, TITLE_AAD, blob));
}

async function seal(meta: CryptoKey, aad: string, plaintext: string): Promise<SealedBlob> {
  const iv = randomBytes(NONCE_BYTES);
  const params = { name: "AES-GCM", iv, additionalData: utf8(aad) };
  const sealed = await crypto.subtle.encrypt(params, meta, utf8(plaintext));
  const blob = new Uint8Array(NONCE_BYTES + sealed.byteLength);
  blob.set(iv);
  blob.set(new Uint8Array(sealed), NONCE_BYTES);
  return toBase64Url(blob);
}

async function open(meta: CryptoKey, aad: string, blob: SealedBlob): Promise<string> {
  const bytes = fromBase64Url(blob);
  if (bytes === undefined || bytes.length < NONCE_BYTES) throw new OpenError("truncated");
  const iv = bytes.subarray(0, NONCE_BYTES);
  const params = { name: "AES-GCM", iv, additionalData: utf8(aad) };
  let plaintext: ArrayBuffer;
  try {
    plaintext = await crypto.subtle.decrypt(params, meta, bytes.subarray(NONCE_BYTES));
  } catch {
    throw new OpenError("authentication");
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(plaintext);
  } catch {
    throw new OpenError("content");
  }
}

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function randomBytes(count: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(count));
}

/** The parts of a browser that hold a link; a test passes its own. */
export interface LinkPlace {
  readonly location: Pick<Location, "origin" | "pathname" | "hash">;
  readonly history: Pick<History, "replaceState" | "state">;
  /** The tab's, never `localStorage`: the secret goes with the tab. */
  readonly storage: Storage;
}

/**
 * The link that the page was opened with, or, after a reload, the one it was opened with before.
 *
 * The fragment is taken out of the address bar at once, so that neither a screenshot nor a shared
 * screen nor the history shows the secret. What makes a host becomes a key of this device.
 * @throws {ParseLinkError} `noFragment` if the address names a meeting without its secret.
 */
export function claimLink(
  { location, history, storage }: LinkPlace,
  hostKeys: HostKeys = deviceHostKeys,
): MeetingLink {
  const fragment = location.hash.slice(1);
  if (fragment !== "") {
    history.replaceState(history.state, "", location.pathname);
    // The page is already served from this origin: it need not be proven to be a server's.
    const link = parseParts(location.origin, location.pathname, fragment);
    return keepLink(link, storage, hostKeys);
  }
  if (!location.pathname.startsWith("/m/")) throw new ParseLinkError("path");
  const kept = storage.getItem(linkKey(location.pathname.slice("/m/".length)));
  if (kept === null) throw new ParseLinkError("noFragment");
  return parseParts(location.origin, location.pathname, kept);
}

/**
 * Keeps a link's secret in this tab, for a reload, and what makes a host as a key of this device.
 * Answers with the guests' link.
 */
export function keepLink(
  { hostSeed, ...link }: MeetingLink,
  storage: Storage,
  hostKeys: HostKeys = deviceHostKeys,
): MeetingLink {
  storage.setItem(linkKey(link.id), formatFragment(link));
  // A browser that cannot use the key comes in as a guest.
  if (hostSeed !== undefined) hostKeys.adopt(link.id, hostSeed).catch(() => {});
  return link;
}

/** Drops the secret: the person left. */
export function forgetLink(id: MeetingId, storage: Storage): void {
  storage.removeItem(linkKey(id));
}

function linkKey(id: string): string {
  return `conclave.link.${id}`;
}
