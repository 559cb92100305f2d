import type { MeetingId } from "@conclave/wire";

/** What a reloaded page needs to come back as the same participant. */
export interface KeptSession {
  readonly resumeToken: string;
  /** The media session that the server knows: the next must be higher. */
  readonly generation: number;
}

/** Keeps it in the tab's storage, which a reload survives and a closed tab does not. */
export function keepSession(id: MeetingId, session: KeptSession, storage: Storage): void {
  storage.setItem(sessionKey(id), JSON.stringify(session));
}

/** The session that a reload interrupted, if there was one. */
export function recallSession(id: MeetingId, storage: Storage): KeptSession | undefined {
  const text = storage.getItem(sessionKey(id));
  if (text === null) return undefined;
  try {
    const { resumeToken, generation } = JSON.parse(text) as Partial<KeptSession>;
    const isWhole = typeof resumeToken === "string" && typeof generation === "number";
    return isWhole ? { resumeToken, generation } : undefined;
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
