/** Unpadded base64url of bytes. */
export function base64url(bytes: Uint8Array | ArrayBuffer): string {
  return Buffer.from(bytes as Uint8Array).toString("base64url");
}

/** Bytes of unpadded base64url. */
export function fromBase64url(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64url"));
}
