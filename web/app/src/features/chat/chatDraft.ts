/** The most bytes of a message in UTF-8, as all members' devices have it (crate `conclave-e2ee`). */
export const MAX_CHAT_BYTES = 4096;

/** From here on it is shown how much is left. */
export const NEAR_FULL_BYTES = 3500;

const ENCODER = new TextEncoder();

/**
 * What is sent of a draft: without what no device would show, and without empty lines around it.
 * Empty if there is nothing to send.
 */
export function messageOf(draft: string): string {
  return draft
    .replace(/\r\n?/g, "\n")
    .replace(/(?![\n\t])\p{Cc}/gu, "")
    .replace(/^(\s*\n)+/, "")
    .trimEnd()
    .toWellFormed();
}

/** Length in UTF-8, in bytes. */
export function bytesOf(message: string): number {
  return ENCODER.encode(message).length;
}
