import type { MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import { type LucideIcon, Moon, Sun, SunMoon } from "lucide-react";
import type { Theme } from "../../preferences";

/** The themes to choose from, in order. */
export const THEMES: readonly {
  readonly id: Theme;
  readonly text: MessageDescriptor;
  readonly Icon: LucideIcon;
}[] = [
  { id: "system", text: msg`As the system`, Icon: SunMoon },
  { id: "light", text: msg`Light`, Icon: Sun },
  { id: "dark", text: msg`Dark`, Icon: Moon },
];
