import { classes } from "@conclave/ui";
import type { ConnectionQuality } from "@conclave/wire";
import type { MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import { useLingui } from "@lingui/react/macro";
import { WifiOff } from "lucide-react";
import type { JSX } from "react";
import styles from "./QualityMark.module.css";

const c = classes(styles);

/** A connection in words. */
export const QUALITY_WORDS: Readonly<Record<ConnectionQuality, MessageDescriptor>> = {
  good: msg`Good connection`,
  fair: msg`Fair connection`,
  poor: msg`Poor connection`,
  lost: msg`Connection lost`,
};

const LIT: Readonly<Record<ConnectionQuality, number>> = { good: 3, fair: 2, poor: 1, lost: 0 };

/** How well somebody's media gets through: bars to count, and words for who cannot see them. */
export function QualityMark({ quality }: { readonly quality: ConnectionQuality }): JSX.Element {
  const { t } = useLingui();
  const label = t(QUALITY_WORDS[quality]);
  if (quality === "lost") return <WifiOff size={16} role="img" aria-label={label} />;
  return (
    <span className={c("mark")} role="img" aria-label={label} title={label}>
      {[1, 2, 3].map((bar) => (
        <span key={bar} className={c("bar", bar <= LIT[quality] && "lit")} />
      ))}
    </span>
  );
}
