import type { MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import { LayoutDashboard, LayoutGrid, type LucideIcon, SquareUser } from "lucide-react";
import type { LayoutMode } from "./layoutWish";

/** The layouts in words. */
export const LAYOUT_WORDS: Readonly<
  Record<
    LayoutMode,
    {
      readonly name: MessageDescriptor;
      readonly detail: MessageDescriptor;
      readonly Icon: LucideIcon;
    }
  >
> = {
  auto: {
    name: msg`Automatic`,
    detail: msg`Everyone the same size; a shared screen large`,
    Icon: LayoutDashboard,
  },
  grid: {
    name: msg`Grid`,
    detail: msg`Everything the same size`,
    Icon: LayoutGrid,
  },
  speaker: {
    name: msg`Speaker`,
    detail: msg`Whoever speaks, large`,
    Icon: SquareUser,
  },
};
