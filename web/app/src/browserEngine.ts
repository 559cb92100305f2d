import { createCall, createMeeting, fetchMeeting, missingFeatures } from "@conclave/client";
import type { Engine } from "./engine";
import { preferences } from "./preferences";

/** The engine of a browser: the real one. */
export const browserEngine: Engine = {
  missingFeatures: () => missingFeatures(),
  // Where everyone may come in, nobody is kept waiting for a host.
  createMeeting: (wish) =>
    createMeeting(location.origin, { ...wish, joinBeforeHost: wish.mode === "open-link" }),
  fetchMeeting: (link) => fetchMeeting(link),
  openCall: (link) => createCall({ link, name: preferences().name }),
};
