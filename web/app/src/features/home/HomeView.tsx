import {
  type CreatedMeeting,
  type LinkPart,
  MAX_TITLE_CHARS,
  MeetingError,
  type MeetingFault,
  type MeetingLink,
  ParseLinkError,
  parseLink,
} from "@conclave/client";
import { Button, Callout, classes, Segments, TextField } from "@conclave/ui";
import type { MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import { Trans, useLingui } from "@lingui/react/macro";
import { ArrowRight, Plus } from "lucide-react";
import { type FormEvent, type JSX, type ReactNode, useRef, useState } from "react";
import { type MeetingMode, useEngine } from "../../engine";
import { LINK_PROBLEMS, MEETING_PROBLEMS } from "../../problem";
import { useDocumentTitle } from "../../useDocumentTitle";
import { Emblem } from "./Emblem";
import styles from "./HomeView.module.css";

const c = classes(styles);

export interface HomeViewProps {
  readonly header: ReactNode;
  readonly notice: ReactNode;
  /** A link was entered: go there. */
  readonly onEnter: (link: MeetingLink) => void;
  readonly onCreated: (meeting: CreatedMeeting) => void;
}

/** The front door: make a meeting, or go to one. */
export function HomeView({ header, notice, onEnter, onCreated }: HomeViewProps): JSX.Element {
  useDocumentTitle("Conclave");
  return (
    <div className={c("page")}>
      {header}
      <main className={c("main")}>
        <div className={c("intro")}>
          <Emblem />
          <h1 className={c("headline")}>
            <Trans>Meetings under your own roof.</Trans>
          </h1>
          <p className={c("sentence")}>
            <Trans>
              Conclave is video conferencing that your organisation runs itself. Guests need no
              account and no app: a link is enough.
            </Trans>
          </p>
        </div>
        <div className={c("doors")}>
          <NewMeeting onCreated={onCreated} />
          <JoinByLink onEnter={onEnter} />
        </div>
      </main>
      <footer className={c("foot")}>{notice}</footer>
    </div>
  );
}

const MODES: readonly {
  readonly mode: MeetingMode;
  readonly text: MessageDescriptor;
  readonly detail: MessageDescriptor;
}[] = [
  {
    mode: "lobby",
    text: msg`I let people in`,
    detail: msg`People wait at the door until you, or somebody you appoint, lets them in.`,
  },
  {
    mode: "open-link",
    text: msg`Anyone with the link`,
    detail: msg`Whoever holds the link comes in at once, even before you. Nobody checks who they are.`,
  },
];

function NewMeeting({ onCreated }: Pick<HomeViewProps, "onCreated">): JSX.Element {
  const { t } = useLingui();
  const engine = useEngine();
  const [title, setTitle] = useState("");
  const [mode, setMode] = useState<MeetingMode>("lobby");
  const [state, setState] = useState<"idle" | "busy" | MeetingFault>("idle");

  const create = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (state === "busy") return;
    setState("busy");
    try {
      onCreated(await engine.createMeeting({ title, mode }));
    } catch (error) {
      setState(error instanceof MeetingError ? error.fault : "server");
    }
  };

  const problem = state === "idle" || state === "busy" ? undefined : MEETING_PROBLEMS[state];
  return (
    <form className={c("door")} onSubmit={(event) => void create(event)}>
      <h2 className={c("doorTitle")}>
        <Trans>New meeting</Trans>
      </h2>
      <TextField
        label={t`Title (optional)`}
        value={title}
        onChange={setTitle}
        maxLength={MAX_TITLE_CHARS}
        autoComplete="off"
        enterKeyHint="go"
      />
      <div className={c("mode")}>
        <Segments
          label={t`Who comes in?`}
          choices={MODES.map(({ mode: id, text }) => ({ id, text: t(text) }))}
          selected={mode}
          onSelect={(id) => setMode(id === "open-link" ? "open-link" : "lobby")}
        />
        <p className={c("detail")}>
          {MODES.map(({ mode: id, detail }) => (id === mode ? t(detail) : null))}
        </p>
      </div>
      {problem === undefined ? null : (
        <Callout tone="error" role="alert" title={t(problem.what)}>
          {t(problem.todo)}
        </Callout>
      )}
      <Button
        type="submit"
        variant="primary"
        size="large"
        wide
        isPending={state === "busy"}
        icon={<Plus size={20} aria-hidden />}
      >
        <Trans>Start a meeting</Trans>
      </Button>
    </form>
  );
}

function JoinByLink({ onEnter }: Pick<HomeViewProps, "onEnter">): JSX.Element {
  const { t } = useLingui();
  const [text, setText] = useState("");
  const [problem, setProblem] = useState<LinkPart | "empty">();
  const input = useRef<HTMLInputElement>(null);

  const join = (event: FormEvent): void => {
    event.preventDefault();
    const result = readLink(text);
    if (typeof result === "string") {
      setProblem(result);
      input.current?.focus();
      return;
    }
    if (result.origin !== location.origin) {
      // Another agency's server: its own page holds the call, and no code of ours runs there.
      location.assign(text.trim());
      return;
    }
    onEnter(result);
  };

  const words = problem === undefined ? undefined : LINK_PROBLEMS[problem];
  return (
    <form className={c("door")} onSubmit={join} noValidate>
      <h2 className={c("doorTitle")}>
        <Trans>Join by link</Trans>
      </h2>
      <TextField
        label={t`Link from your invitation`}
        value={text}
        onChange={(value) => {
          setText(value);
          setProblem(undefined);
        }}
        error={words === undefined ? undefined : `${t(words.what)} ${t(words.todo)}`}
        type="url"
        inputMode="url"
        autoComplete="off"
        spellCheck="false"
        enterKeyHint="go"
        placeholder={`${location.origin}/m/…`}
        inputRef={input}
      />
      <Button
        type="submit"
        variant="outline"
        size="large"
        wide
        icon={<ArrowRight size={20} aria-hidden />}
      >
        <Trans>Go to the meeting</Trans>
      </Button>
    </form>
  );
}

/** The link in a text, or what is wrong with it. */
export function readLink(text: string): MeetingLink | LinkPart | "empty" {
  if (text.trim() === "") return "empty";
  try {
    return parseLink(text);
  } catch (error) {
    if (error instanceof ParseLinkError) return error.part;
    throw error;
  }
}
