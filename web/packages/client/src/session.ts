import type { MeetingId } from "@conclave/wire";

import type { PersonId } from "./snapshot";

/** What a reloaded page knows of the stay that it interrupted. It comes in as somebody new. */
export interface KeptSession {
  /** The credential of that stay: a host removes the leaf that it left. */
  readonly previous: PersonId;
}

/** Keeps it in the tab's storage, which a reload survives and a closed tab does not. */
export function keepSession(id: MeetingId, session: KeptSession, storage: Storage): void {
  storage.setItem(sessionKey(id), JSON.stringify(session));
}

/** The stay that a reload interrupted, if there was one. */
export function recallSession(id: MeetingId, storage: Storage): KeptSession | undefined {
  const text = storage.getItem(sessionKey(id));
  if (text === null) return undefined;
  try {
    const { previous } = JSON.parse(text) as Partial<KeptSession>;
    return typeof previous === "string" ? { previous } : undefined;
  } catch {
    return undefined;
  }
}

export function forgetSession(id: MeetingId, storage: Storage): void {
  storage.removeItem(sessionKey(id));
}

function sessionKey(id: MeetingId): string {
  return `conclave.session.${id}`;
}
