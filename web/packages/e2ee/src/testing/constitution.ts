import type { MemberOptions } from "../member";
import { base64url } from "./bytes";

/** What a link says, and the policy whose digest is in it. */
export type Founding = Pick<MemberOptions, "meeting" | "secret" | "constitution" | "digest">;

/** What a test may choose of a policy. */
export interface PolicyChoice {
  readonly suite?: number;
  readonly mode?: "lobby" | "open-link";
}

/** A new meeting under these keys, both base64url. */
export async function founding(
  hostKey: string,
  nodeKey: string,
  { suite = 0x004e, mode = "lobby" }: PolicyChoice = {},
): Promise<Founding> {
  const meeting = base64url(crypto.getRandomValues(new Uint8Array(16)));
  const secret = base64url(crypto.getRandomValues(new Uint8Array(32)));
  const constitution = JSON.stringify({
    version: 2,
    meeting,
    suite,
    mode,
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

export async function keyPair(): Promise<CryptoKeyPair> {
  return (await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"])) as CryptoKeyPair;
}

/** The public half, base64url. */
export async function publicText({ publicKey }: CryptoKeyPair): Promise<string> {
  return base64url(await crypto.subtle.exportKey("raw", publicKey));
}
