export { Call, type CallOptions, createCall } from "./Call";
export { browserCallEnv, type CallEnv } from "./callEnv";
export type { MeetingMode } from "./constitution";
export { cleanChat, cleanName, cleanTitle, MAX_NAME_CHARS, MAX_TITLE_CHARS } from "./displayText";
export {
  claimLink,
  forgetLink,
  formatLink,
  keepLink,
  type LinkPart,
  type LinkPlace,
  type MeetingLink,
  ParseLinkError,
  parseLink,
} from "./link";
export {
  type CreatedMeeting,
  createMeeting,
  fetchMeeting,
  type Meeting,
  MeetingError,
  type MeetingFault,
} from "./meetings";
export { recallSession } from "./session";
export type {
  CallCommands,
  CallPhase,
  CallSnapshot,
  ChatMessage,
  DeviceBlock,
  DeviceChoice,
  DeviceSnapshot,
  EndReason,
  GroupSnapshot,
  Membership,
  Notice,
  NoticeKind,
  ParticipantSnapshot,
  PersonId,
  ScreenSnapshot,
  SelfSnapshot,
  ShownReaction,
  VideoSnapshot,
} from "./snapshot";
export {
  canChooseSpeaker,
  canShareScreen,
  type MissingFeature,
  missingFeatures,
} from "./support";
export { isSayable, MAX_CHAT_BYTES } from "./Talk";
export {
  arrange,
  type DeviceClass,
  gridPageSize,
  inOrder,
  type LayoutKind,
  type LayoutRequest,
  NO_ORDER,
  orderTiles,
  type Stage,
  type Tile,
  type TileBox,
  type TileLayout,
  type TileOrder,
  tilesOf,
} from "./tileLayout";
