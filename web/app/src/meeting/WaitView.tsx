import { classes, LogoMark } from "@conclave/ui";
import { useLingui } from "@lingui/react/macro";
import type { JSX } from "react";
import styles from "./WaitView.module.css";

const c = classes(styles);

/** While something loads. */
export function WaitView(): JSX.Element {
  const { t } = useLingui();
  return (
    <main className={c("wait")}>
      <div className={c("mark")} role="img" aria-label={t`Loading`}>
        <LogoMark size={64} />
      </div>
    </main>
  );
}
