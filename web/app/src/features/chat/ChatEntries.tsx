import type { ChatMessage } from "@conclave/client";
import { Avatar, classes } from "@conclave/ui";
import { Trans, useLingui } from "@lingui/react/macro";
import { type JSX, memo, useMemo } from "react";
import { languageInfo, languageOf } from "../../i18n/languages";
import { useNameOf } from "../../person/names";
import { ROLE_WORDS } from "../../person/roleWords";
import styles from "./ChatEntries.module.css";
import { type ChatGroup, chatGroups } from "./chatGroups";
import { MessageText } from "./MessageText";

const c = classes(styles);

/** Messages, those of one person in a row together. */
export function ChatEntries({
  messages,
}: {
  readonly messages: readonly ChatMessage[];
}): JSX.Element {
  const { i18n } = useLingui();
  const groups = useMemo(() => chatGroups(messages), [messages]);
  const locale = languageInfo(languageOf(i18n.locale) ?? "en").locale;
  const clock = useMemo(() => new Intl.DateTimeFormat(locale, { timeStyle: "short" }), [locale]);
  return (
    <ol className={c("groups")}>
      {groups.map((group) => (
        <Group key={group.id} group={group} clock={clock} />
      ))}
    </ol>
  );
}

interface GroupProps {
  readonly group: ChatGroup;
  readonly clock: Intl.DateTimeFormat;
}

const Group = memo(function Group({ group: { first, messages }, clock }: GroupProps): JSX.Element {
  const { t } = useLingui();
  const name = useNameOf()(first.name);
  const at = new Date(first.atMs);
  return (
    <li className={c("group", first.isOwn && "own")} data-testid="chat-group">
      {first.isOwn ? null : (
        <span className={c("face")} aria-hidden>
          <Avatar name={first.name} size="1.75rem" />
        </span>
      )}
      <div className={c("said")}>
        <div className={c("head")}>
          <bdi className={c("name")}>{first.isOwn ? <Trans>You</Trans> : name}</bdi>
          {first.role === "guest" ? null : (
            <span className={c("role")}>{t(ROLE_WORDS[first.role])}</span>
          )}
          <time className={c("time")} dateTime={at.toISOString()}>
            {clock.format(at)}
          </time>
        </div>
        {messages.map(({ id, text }) => (
          <div key={id} className={c("bubble")} data-testid="chat-message">
            <MessageText text={text} />
          </div>
        ))}
      </div>
    </li>
  );
});
