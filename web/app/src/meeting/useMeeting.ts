import {
  type CallCommands,
  claimLink,
  type Meeting,
  MeetingError,
  type MeetingLink,
  ParseLinkError,
  recallSession,
} from "@conclave/client";
import { useEffect, useState } from "react";
import { type Engine, useEngine } from "../engine";
import { LINK_PROBLEMS, MEETING_PROBLEMS, MISSING_FEATURES, type Words } from "../problem";
import { recallDevices } from "./deviceMemory";
import { isOpenElsewhere } from "./otherTab";

/** Where the way to a meeting stands. */
export type MeetingState =
  | { readonly kind: "opening" }
  | { readonly kind: "failed"; readonly words: Words; readonly canRetry: boolean }
  | {
      readonly kind: "open";
      readonly link: MeetingLink;
      readonly meeting: Meeting;
      readonly call: CallCommands;
      readonly openElsewhere: boolean;
    };

/** How often the number of people is asked for while one is still outside. */
const RECOUNT_MS = 10_000;

const OPENING: MeetingState = { kind: "opening" };

/**
 * Opens the meeting that the address bar names, and frees the call with its component.
 * The function returned tries again.
 */
export function useMeeting(): readonly [MeetingState, () => void] {
  const engine = useEngine();
  const [state, setState] = useState<MeetingState>(OPENING);
  const [attempt, setAttempt] = useState(0);

  // biome-ignore lint/correctness/useExhaustiveDependencies: another attempt runs it anew.
  useEffect(() => {
    const gone = new AbortController();
    let opened: CallCommands | undefined;
    setState(OPENING);
    void open(engine, gone.signal).then((next) => {
      if (next.kind === "open") opened = next.call;
      if (gone.signal.aborted) opened?.dispose();
      else setState(next);
    });
    return () => {
      gone.abort();
      opened?.dispose();
    };
  }, [engine, attempt]);

  useRecount(engine, state, setState);
  return [state, () => setAttempt((count) => count + 1)];
}

async function open(engine: Engine, gone: AbortSignal): Promise<MeetingState> {
  const missing = engine.missingFeatures()[0];
  if (missing !== undefined) {
    return { kind: "failed", words: MISSING_FEATURES[missing], canRetry: false };
  }
  try {
    const link = claimLink({ location, history, storage: sessionStorage });
    const [meeting, openElsewhere] = await Promise.all([
      engine.fetchMeeting(link),
      isOpenElsewhere(link.id),
    ]);
    if (gone.aborted) return OPENING;
    const call = engine.openCall(link);
    // A reload in the middle of a call leads back into it, past the pre-join view.
    if (recallSession(link.id, sessionStorage) !== undefined) call.join();
    void call.prepare(recallDevices(sessionStorage));
    return { kind: "open", link, meeting, call, openElsewhere };
  } catch (error) {
    return failure(error);
  }
}

function failure(error: unknown): MeetingState {
  if (error instanceof ParseLinkError) {
    return { kind: "failed", words: LINK_PROBLEMS[error.part], canRetry: false };
  }
  const fault = error instanceof MeetingError ? error.fault : "server";
  return {
    kind: "failed",
    words: MEETING_PROBLEMS[fault],
    canRetry: fault !== "policyMismatch" && fault !== "unknownMeeting",
  };
}

function useRecount(
  engine: Engine,
  state: MeetingState,
  setState: (change: (old: MeetingState) => MeetingState) => void,
): void {
  const link = state.kind === "open" ? state.link : undefined;
  const call = state.kind === "open" ? state.call : undefined;
  useEffect(() => {
    if (link === undefined || call === undefined) return undefined;
    const recount = async (): Promise<void> => {
      if (document.hidden || call.snapshot().phase.kind !== "preparing") return;
      try {
        const meeting = await engine.fetchMeeting(link);
        setState((old) => (old.kind === "open" && old.call === call ? { ...old, meeting } : old));
      } catch {
        // Joining will say what is wrong; a stale number is no reason to stop anybody.
      }
    };
    const timer = setInterval(() => void recount(), RECOUNT_MS);
    return () => clearInterval(timer);
  }, [engine, link, call, setState]);
}
