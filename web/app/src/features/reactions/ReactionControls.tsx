import type { CallCommands, CallSnapshot } from "@conclave/client";
import {
  Button,
  ControlBadge,
  ControlButton,
  ControlToggle,
  classes,
  DialogTrigger,
  IconButton,
  PopoverCard,
} from "@conclave/ui";
import { Trans, useLingui } from "@lingui/react/macro";
import { Hand, SmilePlus } from "lucide-react";
import type { JSX } from "react";
import { silenceOf } from "../../person/silence";
import { useNarrow } from "../../useNarrow";
import { useSnapshot } from "../../useSnapshot";
import { ownPlace } from "./handPlace";
import styles from "./ReactionControls.module.css";
import { ReactionIcon } from "./ReactionIcon";
import { REACTION_WORDS, REACTIONS } from "./reactions";

const c = classes(styles);

export interface ReactionControlsProps {
  readonly call: CallCommands;
  /** Whether the choice of reactions is open. */
  readonly isOpen: boolean;
  readonly onOpen: (open: boolean) => void;
}

/** Raised hand and reactions; on a phone both behind one button. */
export function ReactionControls(props: ReactionControlsProps): JSX.Element {
  const narrow = useNarrow();
  return (
    <>
      {narrow ? null : <HandControl call={props.call} />}
      <PickerControl {...props} withHand={narrow} />
    </>
  );
}

function HandControl({ call }: { readonly call: CallCommands }): JSX.Element {
  const { t } = useLingui();
  const place = useSnapshot(call, ownPlace);
  const isUp = place > 0;
  return (
    <ControlToggle
      label={t`Raise your hand`}
      caption={t`Hand`}
      hint={isUp ? t`Lower your hand` : t`Raise your hand`}
      keys="H"
      isOn={isUp}
      onChange={(up) => call.raiseHand(up)}
      tone={isUp ? "active" : "neutral"}
      icon={<Hand size={22} aria-hidden />}
      badge={isUp ? <ControlBadge text={String(place)} /> : undefined}
    />
  );
}

interface PickerProps extends ReactionControlsProps {
  readonly withHand: boolean;
}

function PickerControl({ call, isOpen, onOpen, withHand }: PickerProps): JSX.Element {
  const { t } = useLingui();
  const place = useSnapshot(call, ownPlace);
  const showsHand = withHand && place > 0;
  const label = withHand ? t`Reactions and raised hand` : t`Reactions`;
  return (
    <DialogTrigger isOpen={isOpen} onOpenChange={onOpen}>
      <ControlButton
        label={label}
        caption={t`Reactions`}
        keys="R"
        tone={showsHand ? "active" : "neutral"}
        icon={showsHand ? <Hand size={22} aria-hidden /> : <SmilePlus size={22} aria-hidden />}
        badge={showsHand ? <ControlBadge text={String(place)} /> : undefined}
      />
      <PopoverCard label={label} placement="top">
        <div className={c("card")}>
          <Picker call={call} onDone={() => onOpen(false)} />
          {withHand ? (
            <HandButton call={call} isUp={place > 0} onDone={() => onOpen(false)} />
          ) : null}
        </div>
      </PopoverCard>
    </DialogTrigger>
  );
}

interface PickerPartProps {
  readonly call: CallCommands;
  readonly onDone: () => void;
}

function Picker({ call, onDone }: PickerPartProps): JSX.Element {
  const { t } = useLingui();
  const isSilent = useSnapshot(call, (snapshot: CallSnapshot) => silenceOf(snapshot) !== undefined);
  return (
    <>
      {isSilent ? (
        <p className={c("note")}>
          <Trans>Reactions are not sent right now.</Trans>
        </p>
      ) : null}
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be laid out in one row everywhere. */}
      <div className={c("row")} role="group" aria-label={t`Reactions`}>
        {REACTIONS.map((reaction, at) => (
          <IconButton
            key={reaction}
            label={t(REACTION_WORDS[reaction])}
            autoFocus={at === 0}
            isDisabled={isSilent}
            onPress={() => {
              call.react(reaction);
              onDone();
            }}
          >
            <ReactionIcon reaction={reaction} size="1.75rem" />
          </IconButton>
        ))}
      </div>
    </>
  );
}

interface HandButtonProps extends PickerPartProps {
  readonly isUp: boolean;
}

function HandButton({ call, isUp, onDone }: HandButtonProps): JSX.Element {
  return (
    <Button
      wide
      icon={<Hand size={20} aria-hidden />}
      onPress={() => {
        call.raiseHand(!isUp);
        onDone();
      }}
    >
      {isUp ? <Trans>Lower your hand</Trans> : <Trans>Raise your hand</Trans>}
    </Button>
  );
}
