import type { CallCommands } from "@conclave/client";
import { Chip, type ChipTone } from "@conclave/ui";
import type { ShieldLevel } from "@conclave/wire";
import { useLingui } from "@lingui/react/macro";
import {
  type LucideIcon,
  Shield,
  ShieldAlert,
  ShieldCheck,
  ShieldEllipsis,
  ShieldX,
} from "lucide-react";
import type { JSX } from "react";
import { useNarrow } from "../../useNarrow";
import { useSnapshot } from "../../useSnapshot";
import { levelWords } from "./shieldWords";

/** Each level has a shape of its own: colour alone says nothing. */
export const LEVEL_ICONS: Readonly<Record<ShieldLevel, LucideIcon>> = {
  none: ShieldEllipsis,
  unverified: Shield,
  compared: ShieldCheck,
  doubtful: ShieldAlert,
  stopped: ShieldX,
};

const TONES: Readonly<Record<ShieldLevel, ChipTone>> = {
  none: "neutral",
  unverified: "neutral",
  compared: "good",
  doubtful: "caution",
  stopped: "stop",
};

export interface ShieldButtonProps {
  readonly call: CallCommands;
  readonly onOpen: () => void;
}

/** How the call is protected, in sight for the whole call; leads to the grounds for it. */
export function ShieldButton({ call, onOpen }: ShieldButtonProps): JSX.Element {
  const { t } = useLingui();
  const narrow = useNarrow();
  const group = useSnapshot(call, ({ group }) => group);
  const { level } = group.shield;
  const words = levelWords(group);
  const Icon = LEVEL_ICONS[level];
  const name = t(words.name);
  const shown = narrow ? t(words.short) : name;
  return (
    <Chip
      label={narrow ? `${shown}: ${name}` : name}
      tip={t`How this call is protected`}
      tone={TONES[level]}
      icon={<Icon size={18} aria-hidden />}
      onPress={onOpen}
      aria-haspopup="dialog"
      data-testid="shield"
      data-level={level}
    >
      {shown}
    </Chip>
  );
}
