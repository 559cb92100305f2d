import { classes } from "@conclave/ui";
import { Trans } from "@lingui/react/macro";
import { type JSX, memo, useState } from "react";
import { visibleText } from "../../text/visibleText";
import { linkify } from "./linkify";
import styles from "./MessageText.module.css";

const c = classes(styles);

/** Longer messages show their beginning until somebody wants the rest. */
const LONG_CHARS = 1200;
const LONG_LINES = 18;

/** A message as text: its https addresses are links, and nothing else is anything. */
export const MessageText = memo(function MessageText({
  text,
}: {
  readonly text: string;
}): JSX.Element {
  const [isWhole, setWhole] = useState(false);
  const shown = visibleText(text).replace(/\n{4,}/g, "\n\n\n");
  const isLong = shown.length > LONG_CHARS || shown.split("\n").length > LONG_LINES;
  return (
    <>
      <p className={c("text", isLong && !isWhole && "cut")} dir="auto">
        {linkify(shown).map((part, at) =>
          part.kind === "text" ? (
            part.text
          ) : (
            // biome-ignore lint/suspicious/noArrayIndexKey: a message never changes.
            <Link key={at} href={part.href} host={part.host} rest={part.rest} />
          ),
        )}
      </p>
      {isLong ? (
        <button
          type="button"
          className={c("more")}
          aria-expanded={isWhole}
          onClick={() => setWhole(!isWhole)}
        >
          {isWhole ? <Trans>Show less</Trans> : <Trans>Show the whole message</Trans>}
        </button>
      ) : null}
    </>
  );
});

interface LinkProps {
  readonly href: string;
  readonly host: string;
  readonly rest: string;
}

/** The host stands out and apart: right-to-left text in the path cannot move it. */
function Link({ href, host, rest }: LinkProps): JSX.Element {
  return (
    <a
      className={c("link")}
      href={href}
      target="_blank"
      rel="noopener noreferrer"
      referrerPolicy="no-referrer"
      dir="ltr"
    >
      <span className={c("origin")}>
        https://<bdi className={c("host")}>{host}</bdi>
      </span>
      <bdi dir="ltr">{rest}</bdi>
    </a>
  );
}
