import type { CallCommands } from "@conclave/client";
import { Button, classes } from "@conclave/ui";
import { Trans, useLingui } from "@lingui/react/macro";
import { CirclePause, LogIn, LogOut } from "lucide-react";
import { type JSX, useEffect, useRef } from "react";
import styles from "./InterruptionView.module.css";
import type { Interruption } from "./interruptions";

const c = classes(styles);

export interface InterruptionViewProps {
  readonly call: CallCommands;
  readonly interruption: Interruption;
}

/** In the place of the pictures, while nothing is sent: what happened and what to do. */
export function InterruptionView({ call, interruption }: InterruptionViewProps): JSX.Element {
  const { t } = useLingui();
  const heading = useRef<HTMLHeadingElement>(null);
  // The pictures are gone, and with them what had the focus there. A dialog keeps its own.
  useEffect(() => {
    if (document.activeElement === document.body) heading.current?.focus();
  }, []);
  return (
    <div className={c("place")}>
      <section className={c("card")} role="alert" data-testid="interruption">
        <p className={c("state")}>
          <CirclePause size={20} aria-hidden />
          <span>
            <Trans>Sound and picture are stopped. Nothing of yours is sent.</Trans>
          </span>
        </p>
        <h2 className={c("title")} ref={heading} tabIndex={-1}>
          {t(interruption.what)}
        </h2>
        <p>{t(interruption.why)}</p>
        <p>{t(interruption.todo)}</p>
        <div className={c("actions")}>
          {interruption.canRejoin ? (
            <Button
              variant="primary"
              icon={<LogIn size={18} aria-hidden />}
              onPress={() => call.rejoinGroup()}
            >
              <Trans>Come in anew</Trans>
            </Button>
          ) : null}
          <Button
            variant="outline"
            icon={<LogOut size={18} aria-hidden />}
            onPress={() => call.leave()}
          >
            <Trans>Leave</Trans>
          </Button>
        </div>
      </section>
    </div>
  );
}
