import type { CallCommands } from "@conclave/client";
import { Avatar, Button, classes, IconButton } from "@conclave/ui";
import type { KnockView } from "@conclave/wire";
import { Trans, useLingui } from "@lingui/react/macro";
import { BadgeCheck, TriangleAlert, UserCheck, UserX } from "lucide-react";
import type { JSX } from "react";
import { useNameOf } from "../../person/names";
import styles from "./KnockList.module.css";
import { knockWords } from "./knockWords";

const c = classes(styles);

export interface KnockListProps {
  readonly call: CallCommands;
  readonly knocks: readonly KnockView[];
  /** Names the list. */
  readonly label: string;
}

/** Those who ask to come in, what is known of each, and the answer. */
export function KnockList({ call, knocks, label }: KnockListProps): JSX.Element {
  return (
    <ul className={c("list")} aria-label={label}>
      {knocks.map((knock) => (
        <Knock key={knock.knocker} call={call} knock={knock} />
      ))}
    </ul>
  );
}

function Knock({
  call,
  knock,
}: {
  readonly call: CallCommands;
  readonly knock: KnockView;
}): JSX.Element {
  const { t } = useLingui();
  const name = useNameOf()(knock.name);
  return (
    <li className={c("knock")} data-testid="knock">
      <Avatar name={knock.name} />
      <div className={c("who")}>
        <p className={c("name")}>
          <Trans>Says the name “{name}”</Trans>
        </p>
        <p className={c("detail", knock.hostProven && "proved")}>
          {knock.hostProven ? <BadgeCheck size={16} aria-hidden /> : null}
          <span>{t(knockWords(knock))}</span>
        </p>
        {knock.nameShared ? (
          <p className={c("detail", "care")}>
            <TriangleAlert size={16} aria-hidden />
            <span>
              <Trans>Somebody else has the same name. Ask who it is before you let them in.</Trans>
            </span>
          </p>
        ) : null}
      </div>
      <div className={c("answers")}>
        <Button
          variant="primary"
          icon={<UserCheck size={18} aria-hidden />}
          aria-label={t`Let in ${name}`}
          onPress={() => call.admit(knock.knocker)}
        >
          <Trans>Let in</Trans>
        </Button>
        <IconButton
          label={t`Turn ${name} away`}
          variant="outline"
          onPress={() => call.deny(knock.knocker)}
        >
          <UserX size={18} aria-hidden />
        </IconButton>
      </div>
    </li>
  );
}
