export { createMember, isSupported, warmUp } from "./createMember";
export type {
  FrameCost,
  FrameCosts,
  FrameCounts,
  Member,
  MemberEvents,
  MemberOptions,
  SlotAssignment,
  SlotRef,
} from "./member";
