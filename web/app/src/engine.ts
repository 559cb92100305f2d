/**
 * What the interface needs of the call engine. The real one is `@conclave/client`; the demo and
 * the tests bring their own.
 * @module
 */

import type { CallCommands, Meeting, MeetingLink, MissingFeature } from "@conclave/client";
import { createContext, useContext } from "react";

export interface Engine {
  /** What this browser lacks for a call. */
  missingFeatures(): readonly MissingFeature[];
  createMeeting(title: string): Promise<MeetingLink>;
  fetchMeeting(link: MeetingLink): Promise<Meeting>;
  /** A call that is not yet joined. Its owner disposes of it. */
  openCall(link: MeetingLink): CallCommands;
}

export const EngineContext = createContext<Engine | undefined>(undefined);

/** The engine of this page. */
export function useEngine(): Engine {
  const engine = useContext(EngineContext);
  if (engine === undefined) throw new Error("no engine above this component");
  return engine;
}
