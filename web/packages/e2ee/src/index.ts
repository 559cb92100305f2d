export type {
  FrameCounts,
  Member,
  MemberEvents,
  MemberOptions,
  SlotAssignment,
  SlotRef,
} from "./member";
