/**
 * Meetings, made the way a person at a terminal makes them.
 * @module
 */

import { Child, conclave } from "./process.ts";
import type { Server } from "./server.ts";

/** Creates a meeting, without a title unless told otherwise, and returns its link. */
export async function createMeeting(server: Server, title?: string): Promise<string> {
  const child = new Child(conclave(), [
    "meeting",
    "create",
    server.url,
    ...(title === undefined ? [] : ["--title", title]),
    ...(server.certificate === undefined ? [] : ["--ca", server.certificate]),
  ]);
  const code = await child.ended;
  const link = child.lines.find((line) => line.includes("/m/"))?.trim();
  if (code !== 0 || link === undefined) {
    throw new Error(`no meeting (${code}): ${child.errors.join("\n")}`);
  }
  return link;
}
