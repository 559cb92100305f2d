export { createMember, isSupported, warmUp } from "./createMember";
export type {
  FrameCounts,
  Member,
  MemberEvents,
  MemberOptions,
  SlotAssignment,
  SlotRef,
} from "./member";
