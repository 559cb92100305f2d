import type { CallCommands } from "@conclave/client";
import { Button, classes, LogoMark } from "@conclave/ui";
import { Trans } from "@lingui/react/macro";
import { type JSX, useEffect, useRef } from "react";
import { useNameOf } from "../../person/names";
import { useSnapshot } from "../../useSnapshot";
import styles from "./AtTheDoor.module.css";

const c = classes(styles);

export interface AtTheDoorProps {
  readonly call: CallCommands;
  /** What is waited for: somebody to let one in, or a host to open the meeting. */
  readonly why: "admission" | "host";
}

/** In the place of the form, once it was sent: what is waited for, and the way to give up. */
export function AtTheDoor({ call, why }: AtTheDoorProps): JSX.Element {
  const nameOf = useNameOf();
  const name = nameOf(useSnapshot(call, ({ self }) => self.name));
  const heading = useRef<HTMLHeadingElement>(null);
  // The button that was pressed is gone.
  useEffect(() => heading.current?.focus(), []);
  return (
    <section className={c("door")} data-testid="at-the-door" data-why={why}>
      <div className={c("head")}>
        <span className={c("mark")}>
          <LogoMark size={40} />
        </span>
        <h2 className={c("title")} ref={heading} tabIndex={-1}>
          {why === "host" ? (
            <Trans>The host has not opened the meeting yet</Trans>
          ) : (
            <Trans>Asking to be let in</Trans>
          )}
        </h2>
      </div>
      {/* A live region that is there before its words change: who waits hears what they wait for. */}
      <p aria-live="polite">
        {why === "host" ? (
          <Trans>
            As soon as a host is there, it goes on by itself. You can leave this page open in the
            background.
          </Trans>
        ) : (
          <Trans>
            Somebody in the meeting decides. You can leave this page open in the background.
          </Trans>
        )}
      </p>
      <p className={c("quiet")}>
        <Trans>
          You ask as <strong>{name}</strong>. They see this name as your own word. Nobody hears or
          sees you yet.
        </Trans>
      </p>
      <div>
        <Button variant="outline" size="large" onPress={() => call.leave()}>
          <Trans>Cancel</Trans>
        </Button>
      </div>
    </section>
  );
}
