import type { CallCommands } from "@conclave/client";
import { Callout, type CalloutTone, classes, Dialog } from "@conclave/ui";
import type { ShieldLevel, ShieldView } from "@conclave/wire";
import { Trans, useLingui } from "@lingui/react/macro";
import { Check, Minus } from "lucide-react";
import type { JSX } from "react";
import { useSnapshot } from "../../useSnapshot";
import { SafetyCode } from "./SafetyCode";
import { LEVEL_ICONS } from "./ShieldButton";
import styles from "./ShieldDialog.module.css";
import { basisWords, gapWords, levelWords } from "./shieldWords";

const c = classes(styles);

const TONES: Readonly<Record<ShieldLevel, CalloutTone>> = {
  none: "info",
  unverified: "info",
  compared: "good",
  doubtful: "caution",
  stopped: "error",
};

export interface ShieldDialogProps {
  readonly call: CallCommands;
  readonly isOpen: boolean;
  readonly onClose: () => void;
}

/** How the call is protected: the word for it, its grounds, its limits, and the safety code. */
export function ShieldDialog({ call, isOpen, onClose }: ShieldDialogProps): JSX.Element {
  const { t } = useLingui();
  const group = useSnapshot(call, ({ group }) => group);
  const { shield } = group;
  const { name, meaning } = levelWords(group);
  const Icon = LEVEL_ICONS[shield.level];
  return (
    <Dialog
      isOpen={isOpen}
      onClose={onClose}
      title={t`How this call is protected`}
      closeLabel={t`Close`}
      isText
    >
      <div className={c("parts")}>
        <Callout tone={TONES[shield.level]} title={t(name)} icon={<Icon size={20} aria-hidden />}>
          {t(meaning)}
        </Callout>
        <SafetyCode call={call} />
        <Grounds shield={shield} />
      </div>
    </Dialog>
  );
}

function Grounds({ shield }: { readonly shield: ShieldView }): JSX.Element {
  const { t } = useLingui();
  return (
    <>
      {shield.basedOn.length === 0 ? null : (
        <section className={c("part")}>
          <h3 className={c("title")}>
            <Trans>What this is based on</Trans>
          </h3>
          <ul className={c("list")}>
            {shield.basedOn.map((basis) => (
              <li key={basis.type} className={c("item")}>
                <Check className={c("holds")} size={18} aria-hidden />
                <span>{t(basisWords(basis))}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
      {shield.notCovered.length === 0 ? null : (
        <section className={c("part")}>
          <h3 className={c("title")}>
            <Trans>What it does not cover</Trans>
          </h3>
          <ul className={c("list")}>
            {shield.notCovered.map((gap) => (
              <li key={gap.type} className={c("item")}>
                <Minus className={c("open")} size={18} aria-hidden />
                <span>{t(gapWords(gap))}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}
