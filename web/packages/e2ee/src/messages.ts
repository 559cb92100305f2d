/**
 * What the page and the key worker say to each other. The link's secret goes in once; no key, and
 * nothing that was sealed, ever comes out.
 * @module
 */

import type {
  GroupCommand,
  GroupEvent,
  GroupNews,
  GroupRequest,
  GroupView,
  NodeFault,
  NodeStatement,
  TrackSource,
} from "@conclave/wire";
import type { FrameCounts, SlotAssignment, SlotRef } from "./member";

/** What a session begins with, as the module's constructor reads it. */
export interface SessionSetup {
  readonly meeting: string;
  readonly secret: string;
  readonly constitution: string;
  readonly digest: string;
  readonly name: string;
  readonly holdsHostKey: boolean;
  readonly previous: string | null;
}

/** From page to worker. */
export type ToWorker =
  | {
      readonly type: "begin";
      readonly setup: SessionSetup;
      readonly hostKey: CryptoKey | undefined;
    }
  | { readonly type: "news"; readonly news: GroupNews }
  | { readonly type: "reconnected" }
  | { readonly type: "command"; readonly command: GroupCommand }
  | {
      readonly type: "assign";
      readonly generation: number;
      readonly slots: readonly SlotAssignment[];
    }
  | { readonly type: "ask"; readonly id: number; readonly question: Question };

/** What the page wants to know. */
export type Question =
  | {
      readonly type: "verifyAnswer";
      readonly sdp: string;
      readonly relay: readonly string[];
      readonly statement: NodeStatement;
    }
  | { readonly type: "signResume"; readonly challenge: string }
  | { readonly type: "frameCounts" };

/** The answer to each question, by its type. */
export interface Answers {
  readonly verifyAnswer: NodeFault | undefined;
  readonly signResume: string | undefined;
  readonly frameCounts: FrameCounts;
}

/** From worker to page. */
export type FromWorker =
  | { readonly type: "request"; readonly request: GroupRequest }
  | { readonly type: "view"; readonly view: GroupView }
  | { readonly type: "event"; readonly event: GroupEvent }
  | {
      readonly type: "answer";
      readonly id: number;
      readonly answer: Answers[keyof Answers];
    }
  /** The worker is of no more use. */
  | { readonly type: "crashed" };

/** What a transform is for: the options of an `RTCRtpScriptTransform`. */
export type TransformOptions =
  | { readonly direction: "send"; readonly source: TrackSource }
  | { readonly direction: "receive"; readonly slot: SlotRef };
