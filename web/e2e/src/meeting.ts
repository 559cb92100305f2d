/**
 * Meetings, made the way a person at a terminal makes them.
 * @module
 */

import { Child, conclave } from "./process.ts";
import type { Server } from "./server.ts";

/** The links of a meeting. */
export interface Links {
  /** For those who are invited. */
  readonly guest: string;
  /** For who made it: a device that opens it is a host. */
  readonly host: string;
}

/**
 * Creates a meeting that everybody with the link comes into, host or no host; without a title
 * unless told otherwise. Returns its link.
 */
export async function createMeeting(server: Server, title?: string): Promise<string> {
  const [link] = await create(server, ["--mode", "open-link", "--join-before-host"], title);
  return link;
}

/** Creates a meeting with a lobby: a host must be there first, and lets people in. */
export async function createLobby(server: Server, title?: string): Promise<Links> {
  const [guest, host] = await create(server, ["--host-link"], title);
  if (host === undefined) throw new Error("no link for the host");
  return { guest, host };
}

async function create(
  server: Server,
  mode: readonly string[],
  title: string | undefined,
): Promise<readonly [string, string | undefined]> {
  const child = new Child(conclave(), [
    "meeting",
    "create",
    server.url,
    ...mode,
    ...(title === undefined ? [] : ["--title", title]),
    ...(server.certificate === undefined ? [] : ["--ca", server.certificate]),
  ]);
  const code = await child.ended;
  const [link, hostLink] = child.lines
    .map((line) => line.trim())
    .filter((line) => line.includes("/m/"));
  if (code !== 0 || link === undefined) {
    throw new Error(`no meeting (${code}): ${child.errors.join("\n")}`);
  }
  return [link, hostLink];
}
