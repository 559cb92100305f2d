/**
 * What a role may do, so that the interface offers no more. Members' devices and the server keep
 * to the same rules by themselves: `crates/core/commit-rules`.
 * @module
 */

import type { MemberRole } from "@conclave/wire";

/** Lowest first. */
const RANKS: readonly MemberRole[] = ["guest", "presenter", "admitter", "coHost", "host"];

function rank(role: MemberRole): number {
  return RANKS.indexOf(role);
}

/** Lets people in or turns them away. */
export function mayAdmit(own: MemberRole): boolean {
  return rank(own) >= rank("admitter");
}

/** Locks the meeting, asks all to mute, and forbids those below. */
export function mayOrder(own: MemberRole): boolean {
  return rank(own) >= rank("coHost");
}

/** Removes one of the role `theirs`. */
export function mayRemove(own: MemberRole, theirs: MemberRole): boolean {
  return own === "host" || (mayAdmit(own) && rank(theirs) < rank(own));
}

/** Asks or forbids one of the role `theirs`. */
export function mayDirect(own: MemberRole, theirs: MemberRole): boolean {
  return mayOrder(own) && (own === "host" || rank(theirs) < rank(own));
}

/** Makes one of the role `from` one of the role `to`. */
export function mayAppoint(own: MemberRole, from: MemberRole, to: MemberRole): boolean {
  // Host is nobody's to give or to take: it is proved by the host key.
  if (from === to || from === "host" || to === "host") return false;
  if (own === "host") return true;
  return own === "coHost" && rank(from) < rank("coHost") && rank(to) < rank("coHost");
}
