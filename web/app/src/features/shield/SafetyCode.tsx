import type { CallCommands } from "@conclave/client";
import { Button, Callout, classes, useAnnounce, VisuallyHidden } from "@conclave/ui";
import { Trans, useLingui } from "@lingui/react/macro";
import { Lock, LogOut } from "lucide-react";
import { type JSX, type ReactNode, useState } from "react";
import { mayOrder } from "../../person/rights";
import { useSnapshot } from "../../useSnapshot";
import styles from "./SafetyCode.module.css";

const c = classes(styles);

/** The code that people read to each other, and what they found. */
export function SafetyCode({ call }: { readonly call: CallCommands }): JSX.Element | null {
  const code = useSnapshot(call, ({ group }) => group.safetyCode);
  if (code === undefined) return null;
  return (
    <section className={c("part")}>
      <h3 className={c("title")}>
        <Trans>Safety code</Trans>
      </h3>
      <p className={c("text")}>
        <Trans>
          Everyone in this meeting sees the same code, unless somebody sits between you. Lock the
          meeting first, then one person reads it aloud and all others compare. It changes whenever
          somebody comes or goes.
        </Trans>
      </p>
      <Digits code={code} />
      {/* Another code is another question. */}
      <Comparing key={code} call={call} />
    </section>
  );
}

function Digits({ code }: { readonly code: string }): JSX.Element {
  const groups = code.split(" ");
  return (
    <div className={c("code")} translate="no" data-testid="safety-code">
      {groups.map((group, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: groups have no other identity than their place.
        <span key={at} className={c("group")} aria-hidden>
          {group}
        </span>
      ))}
      <VisuallyHidden>{groups.map((group) => [...group].join(" ")).join(", ")}</VisuallyHidden>
    </div>
  );
}

function Comparing({ call }: { readonly call: CallCommands }): JSX.Element {
  const { t } = useLingui();
  const announce = useAnnounce();
  const [isDifferent, setDifferent] = useState(false);
  const isLocked = useSnapshot(call, ({ group }) => group.locked);
  const isCompared = useSnapshot(call, ({ group }) => group.shield.level === "compared");
  if (isDifferent) return <Different call={call} onBack={() => setDifferent(false)} />;
  if (!isLocked) return <LockFirst call={call} />;
  if (isCompared) {
    return (
      <Callout tone="good" role="status">
        <Trans>You said that the code is the same. That holds until somebody comes in.</Trans>
      </Callout>
    );
  }
  return (
    <Answers>
      <Button
        variant="primary"
        onPress={() => {
          call.codeCompared();
          announce(t`The code counts as compared`);
        }}
      >
        <Trans>It is the same</Trans>
      </Button>
      <Button variant="outline" onPress={() => setDifferent(true)}>
        <Trans>It is different</Trans>
      </Button>
    </Answers>
  );
}

function Answers({ children }: { readonly children: ReactNode }): JSX.Element {
  return <div className={c("answers")}>{children}</div>;
}

function LockFirst({ call }: { readonly call: CallCommands }): JSX.Element {
  const mayLock = useSnapshot(call, ({ self }) => mayOrder(self.role));
  if (!mayLock) {
    return (
      <Callout>
        <Trans>The meeting is open. Ask a host to lock it before you compare.</Trans>
      </Callout>
    );
  }
  return (
    <Callout
      actions={
        <Button
          variant="outline"
          icon={<Lock size={18} aria-hidden />}
          onPress={() => call.lock(true)}
        >
          <Trans>Lock the meeting</Trans>
        </Button>
      }
    >
      <Trans>
        The meeting is open. Lock it, so that the code stays as it is while you compare.
      </Trans>
    </Callout>
  );
}

function Different({
  call,
  onBack,
}: {
  readonly call: CallCommands;
  readonly onBack: () => void;
}): JSX.Element {
  const { t } = useLingui();
  return (
    <Callout
      tone="error"
      role="alert"
      title={t`Somebody sits between you`}
      actions={
        <>
          <Button
            variant="danger"
            icon={<LogOut size={18} aria-hidden />}
            onPress={() => call.leave()}
          >
            <Trans>Leave the meeting</Trans>
          </Button>
          <Button variant="outline" onPress={onBack}>
            <Trans>Compare once more</Trans>
          </Button>
        </>
      }
    >
      <Trans>
        If the codes differ although both of you see a locked meeting with the same people, you are
        not in the same meeting: somebody who has the link and the server hears both sides. Say
        nothing more, leave, and report it by another way to the host and to the people responsible
        for security.
      </Trans>
    </Callout>
  );
}
