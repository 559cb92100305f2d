import { createCall, createMeeting, fetchMeeting, missingFeatures } from "@conclave/client";
import type { Engine } from "./engine";
import { preferences } from "./preferences";

/** The engine of a browser: the real one. */
export const browserEngine: Engine = {
  missingFeatures: () => missingFeatures(),
  createMeeting: (title) => createMeeting(title, location.origin),
  fetchMeeting: (link) => fetchMeeting(link),
  openCall: (link) => createCall({ link, name: preferences().name }),
};
