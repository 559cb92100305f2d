import type { CallCommands, CallSnapshot } from "@conclave/client";
import { classes, IconButton } from "@conclave/ui";
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { CircleAlert, SendHorizontal } from "lucide-react";
import {
  type JSX,
  type KeyboardEvent,
  type RefObject,
  useEffect,
  useId,
  useRef,
  useState,
} from "react";
import { type Silence, silenceOf } from "../../person/silence";
import { useSnapshot } from "../../useSnapshot";
import styles from "./ChatInput.module.css";
import { bytesOf, MAX_CHAT_BYTES, messageOf, NEAR_FULL_BYTES } from "./chatDraft";

const c = classes(styles);

export interface ChatInputProps {
  readonly call: CallCommands;
  readonly draft: RefObject<string>;
  /** Whether the field has the focus from the start. */
  readonly takesFocus: boolean;
}

/** The field for a message. Enter sends, Shift and Enter begin a new line. */
export function ChatInput({ call, draft, takesFocus }: ChatInputProps): JSX.Element {
  const { t } = useLingui();
  const [text, setText] = useState(draft.current);
  const hintId = useId();
  const field = useRef<HTMLTextAreaElement>(null);
  const block = useSnapshot(call, blockOf);
  const message = messageOf(text);
  const left = MAX_CHAT_BYTES - bytesOf(message);
  // What passes by itself does not take the pen away.
  const isClosed = block !== undefined && block !== "reconnecting";
  const maySend = block === undefined && message !== "" && left >= 0;

  useEffect(() => {
    if (takesFocus) field.current?.focus();
  }, [takesFocus]);

  const change = (next: string): void => {
    draft.current = next;
    setText(next);
  };
  const send = (): void => {
    if (!maySend) return;
    call.sendChat(message);
    change("");
    field.current?.focus();
  };
  return (
    <form
      className={c("form")}
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <div className={c("hint")} id={hintId}>
        {block === undefined ? <Room left={left} /> : <BlockWords block={block} />}
      </div>
      <div className={c("line")}>
        <textarea
          ref={field}
          className={c("field", isClosed && "blocked", left < 0 && "over")}
          rows={1}
          dir="auto"
          value={text}
          aria-label={t`Message to everyone`}
          aria-describedby={hintId}
          aria-invalid={left < 0}
          aria-disabled={isClosed}
          readOnly={isClosed}
          placeholder={t`Message to everyone`}
          autoComplete="off"
          enterKeyHint="send"
          data-testid="chat-input"
          onChange={(event) => change(event.target.value)}
          onKeyDown={(event) => {
            // Escape gives up a word of the input method, not the panel.
            if (event.nativeEvent.isComposing) event.stopPropagation();
            if (!asksToSend(event)) return;
            event.preventDefault();
            send();
          }}
        />
        <IconButton label={t`Send`} variant="primary" type="submit" isDisabled={!maySend}>
          <SendHorizontal size={20} aria-hidden />
        </IconButton>
      </div>
    </form>
  );
}

/** Enter, but not the one that takes a word from an input method: Safari calls that key 229. */
function asksToSend({
  key,
  shiftKey,
  altKey,
  nativeEvent,
}: KeyboardEvent<HTMLTextAreaElement>): boolean {
  if (key !== "Enter" || shiftKey || altKey) return false;
  return !nativeEvent.isComposing && nativeEvent.keyCode !== 229;
}

type Block = Silence | "forbidden";

/** Why nothing can be written now. */
function blockOf(snapshot: CallSnapshot): Block | undefined {
  return (
    silenceOf(snapshot) ?? (snapshot.self.forbidden.includes("chat") ? "forbidden" : undefined)
  );
}

function BlockWords({ block }: { readonly block: Block }): JSX.Element {
  switch (block) {
    case "forbidden":
      return <Trans>A host has forbidden you to write in the chat.</Trans>;
    case "reconnecting":
      return <Trans>Your message can be sent when the connection is back.</Trans>;
    case "stopped":
      return <Trans>Nothing is sent until the encryption is in order again.</Trans>;
  }
}

/** How much there is room for, once it matters. */
function Room({ left }: { readonly left: number }): JSX.Element | null {
  if (left < 0) {
    const surplus = -left;
    return (
      <span className={c("error")}>
        <CircleAlert size={16} aria-hidden />
        <span>
          <Plural
            value={surplus}
            one="Too long by # byte. Shorten it, or send it in parts."
            other="Too long by # bytes. Shorten it, or send it in parts."
          />
        </span>
      </span>
    );
  }
  if (left > MAX_CHAT_BYTES - NEAR_FULL_BYTES) return null;
  return <Plural value={left} one="Room for # more byte" other="Room for # more bytes" />;
}
