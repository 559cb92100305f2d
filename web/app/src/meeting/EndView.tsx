import type { EndReason } from "@conclave/client";
import { Button } from "@conclave/ui";
import type { MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import { useLingui } from "@lingui/react/macro";
import { DoorClosed, DoorOpen, RotateCw, TriangleAlert } from "lucide-react";
import type { JSX } from "react";
import { MessageView } from "../layout/MessageView";
import { SiteHeader } from "../layout/SiteHeader";
import { type Ending, endingOf } from "./endings";
import { HomeButton } from "./ProblemView";

export interface EndViewProps {
  readonly reason: EndReason;
  /** Whether this person was in the call before it ended, or only asked to be let in. */
  readonly wasInside: boolean;
  readonly onRejoin: () => void;
}

const LEFT: Ending = {
  tone: "calm",
  what: msg`You left the meeting`,
  todo: msg`Camera and microphone are off. To come back later, use the link you were sent.`,
  again: msg`Join again`,
};

const GAVE_UP: Ending = {
  tone: "calm",
  what: msg`You no longer ask to be let in`,
  todo: msg`Camera and microphone are off. To ask again later, use the link you were sent.`,
  again: msg`Ask again`,
};

/** After a call: how it ended, and the way back in. */
export function EndView({ reason, wasInside, onRejoin }: EndViewProps): JSX.Element {
  const { t } = useLingui();
  const { tone, what, todo, again } =
    reason.kind === "left" ? (wasInside ? LEFT : GAVE_UP) : endingOf(reason);
  const Icon = tone === "wrong" ? TriangleAlert : reason.kind === "left" ? DoorOpen : DoorClosed;
  return (
    <MessageView
      header={<SiteHeader />}
      icon={<Icon size={30} aria-hidden />}
      tone={tone}
      title={t(what)}
      actions={
        <>
          {again === undefined ? null : <Again words={again} onPress={onRejoin} />}
          <HomeButton />
        </>
      }
    >
      {t(todo)}
    </MessageView>
  );
}

function Again({
  words,
  onPress,
}: {
  readonly words: MessageDescriptor;
  readonly onPress: () => void;
}): JSX.Element {
  const { t } = useLingui();
  return (
    <Button
      variant="primary"
      size="large"
      icon={<RotateCw size={20} aria-hidden />}
      onPress={onPress}
    >
      {t(words)}
    </Button>
  );
}
