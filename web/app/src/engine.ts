/**
 * What the interface needs of the call engine. The real one is `@conclave/client`; the demo and
 * the tests bring their own.
 * @module
 */

import type {
  CallCommands,
  CreatedMeeting,
  Meeting,
  MeetingLink,
  MissingFeature,
} from "@conclave/client";
import { createContext, useContext } from "react";

/** How people come in: let in by those who may, or whoever holds the link. */
export type MeetingMode = "lobby" | "open-link";

/** How a new meeting is to be. */
export interface MeetingWish {
  /** May be empty. */
  readonly title: string;
  readonly mode: MeetingMode;
}

export interface Engine {
  /** What this browser lacks for a call. */
  missingFeatures(): readonly MissingFeature[];
  createMeeting(wish: MeetingWish): Promise<CreatedMeeting>;
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
