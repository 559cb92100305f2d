import type { EndReason } from "@conclave/client";
import { Button } from "@conclave/ui";
import { Trans, useLingui } from "@lingui/react/macro";
import { DoorOpen, RotateCw } from "lucide-react";
import type { JSX } from "react";
import { MessageView } from "../layout/MessageView";
import { SiteHeader } from "../layout/SiteHeader";
import { endWords } from "../problem";
import { HomeButton, ProblemView } from "./ProblemView";

export interface EndViewProps {
  readonly reason: EndReason;
  readonly onRejoin: () => void;
}

/** After a call: how it ended, and the way back in. */
export function EndView({ reason, onRejoin }: EndViewProps): JSX.Element {
  const { t } = useLingui();
  if (reason.kind !== "left") {
    // Rules that were changed behind one's back are not entered by pressing twice.
    const retry = reason.kind === "policyMismatch" ? undefined : onRejoin;
    return <ProblemView words={endWords(reason)} onRetry={retry} retryLabel={t`Join again`} />;
  }
  return (
    <MessageView
      header={<SiteHeader />}
      icon={<DoorOpen size={30} aria-hidden />}
      tone="calm"
      title={t`You left the meeting`}
      actions={
        <>
          <Button
            variant="primary"
            size="large"
            icon={<RotateCw size={20} aria-hidden />}
            onPress={onRejoin}
          >
            <Trans>Join again</Trans>
          </Button>
          <HomeButton />
        </>
      }
    >
      <Trans>Camera and microphone are off. To come back later, use the link you were sent.</Trans>
    </MessageView>
  );
}
