import type { Reaction } from "@conclave/wire";
import type { MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";

/** All reactions, in the order in which they are offered. */
export const REACTIONS: readonly Reaction[] = [
  "clap",
  "heart",
  "laugh",
  "surprise",
  "thumbUp",
  "thumbDown",
];

export const REACTION_WORDS: Readonly<Record<Reaction, MessageDescriptor>> = {
  clap: msg`Applause`,
  heart: msg`Heart`,
  laugh: msg`Laughter`,
  surprise: msg`Surprise`,
  thumbUp: msg`Thumbs up`,
  thumbDown: msg`Thumbs down`,
};
