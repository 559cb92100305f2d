import { type CallCommands, MAX_NAME_CHARS, type Meeting } from "@conclave/client";
import {
  Avatar,
  Button,
  Callout,
  ControlToggle,
  classes,
  TextField,
  useAnnounce,
} from "@conclave/ui";
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { Mic, MicOff, Users, Video, VideoOff } from "lucide-react";
import { type FormEvent, type JSX, type ReactNode, useEffect, useRef, useState } from "react";
import { DeviceSelects } from "../../devices/DeviceSelects";
import { Picture } from "../../devices/Picture";
import { CAMERA_PROBLEMS, MICROPHONE_PROBLEMS } from "../../devices/words";
import { preferences, setPreferences } from "../../preferences";
import { useDocumentTitle } from "../../useDocumentTitle";
import { useSnapshot } from "../../useSnapshot";
import { AtTheDoor } from "./AtTheDoor";
import styles from "./JoinView.module.css";

const c = classes(styles);

export interface JoinViewProps {
  readonly call: CallCommands;
  readonly meeting: Meeting;
  /** Another tab of this browser is in this meeting. */
  readonly openElsewhere: boolean;
  readonly header: ReactNode;
  readonly notice: ReactNode;
  /** The links of a meeting that was created just now. */
  readonly links: ReactNode;
}

/** Before the call: how one looks and sounds, the name, and the door. */
export function JoinView({
  call,
  meeting,
  openElsewhere,
  header,
  notice,
  links,
}: JoinViewProps): JSX.Element {
  const { t } = useLingui();
  const [name, setName] = useState(() => preferences().name);
  const title = meeting.title === "" ? t`Meeting` : meeting.title;
  const waiting = useSnapshot(call, ({ phase }) =>
    phase.kind === "waiting" ? phase.why : undefined,
  );
  useDocumentTitle(`${title} – Conclave`);
  return (
    <div className={c("page")}>
      {header}
      <main className={c("main")}>
        <div className={c("looks")}>
          <Preview call={call} name={name} />
          <DeviceProblems call={call} />
        </div>
        <div className={c("form")}>
          <div className={c("titleBlock")}>
            <h1 className={c("title")}>{title}</h1>
            {waiting === undefined ? <Count of={meeting} /> : null}
          </div>
          {links}
          {openElsewhere && waiting === undefined ? (
            <Callout tone="caution" title={t`This meeting is open in another tab`}>
              <Trans>If you join here too, you are in it twice and the sound may echo.</Trans>
            </Callout>
          ) : null}
          {waiting === undefined ? (
            <NameForm call={call} name={name} onName={setName} />
          ) : (
            <AtTheDoor call={call} why={waiting} />
          )}
          {notice}
        </div>
        <div className={c("devices")}>
          <DeviceSelects call={call} arrange="row" />
        </div>
      </main>
    </div>
  );
}

function Count({ of: { participants } }: { readonly of: Meeting }): JSX.Element {
  return (
    <p className={c("count")}>
      <Users size={18} aria-hidden />
      <span>
        <Plural
          value={participants}
          _0="Nobody is here yet"
          one="# person is in the call"
          other="# people are in the call"
        />
      </span>
    </p>
  );
}

function Preview({
  call,
  name,
}: {
  readonly call: CallCommands;
  readonly name: string;
}): JSX.Element {
  const { t } = useLingui();
  const self = useSnapshot(call, (snapshot) => snapshot.self);
  const { microphone, camera, cameraStream } = self;
  const microphoneOn = microphone.state.kind === "on" || microphone.state.kind === "starting";
  const cameraOn = camera.state.kind === "on" || camera.state.kind === "starting";
  return (
    <section className={c("preview")} aria-label={t`Preview of your picture`}>
      {cameraStream === undefined ? (
        <div className={c("dark")}>
          <Avatar name={name} size="clamp(4rem, 14vw, 7rem)" />
          <p>
            {camera.state.kind === "starting" ? (
              <Trans>The camera is starting. Your browser may ask for permission.</Trans>
            ) : (
              <Trans>Your camera is off</Trans>
            )}
          </p>
        </div>
      ) : (
        <Picture stream={cameraStream} className={c("picture")} label={t`Your own picture`} />
      )}
      {name === "" ? null : <span className={c("plate")}>{name}</span>}
      <div className={c("controls")}>
        <ControlToggle
          label={t`Microphone`}
          hint={microphoneOn ? t`Mute` : t`Unmute`}
          isOn={microphoneOn}
          onChange={(on) => call.setMicrophone(on)}
          tone={microphoneOn ? "neutral" : "off"}
          icon={microphoneOn ? <Mic size={22} aria-hidden /> : <MicOff size={22} aria-hidden />}
        />
        <ControlToggle
          label={t`Camera`}
          hint={cameraOn ? t`Switch the camera off` : t`Switch the camera on`}
          isOn={cameraOn}
          onChange={(on) => call.setCamera(on)}
          tone={cameraOn ? "neutral" : "off"}
          icon={cameraOn ? <Video size={22} aria-hidden /> : <VideoOff size={22} aria-hidden />}
        />
      </div>
    </section>
  );
}

function DeviceProblems({ call }: { readonly call: CallCommands }): JSX.Element {
  const { t } = useLingui();
  const microphone = useSnapshot(call, (snapshot) => snapshot.self.microphone.state);
  const camera = useSnapshot(call, (snapshot) => snapshot.self.camera.state);
  const problems = [
    microphone.kind === "blocked" ? MICROPHONE_PROBLEMS[microphone.why] : undefined,
    camera.kind === "blocked" ? CAMERA_PROBLEMS[camera.why] : undefined,
  ];
  const icons = [
    <MicOff key="m" size={20} aria-hidden />,
    <VideoOff key="v" size={20} aria-hidden />,
  ];
  return (
    <>
      {problems.map((words, at) =>
        words === undefined ? null : (
          <Callout
            key={words.what.id}
            tone="caution"
            role="status"
            icon={icons[at]}
            title={t(words.what)}
          >
            {t(words.todo)}
          </Callout>
        ),
      )}
    </>
  );
}

interface NameFormProps {
  readonly call: CallCommands;
  readonly name: string;
  readonly onName: (name: string) => void;
}

function NameForm({ call, name, onName }: NameFormProps): JSX.Element {
  const { t } = useLingui();
  const announce = useAnnounce();
  const [missing, setMissing] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const joining = useSnapshot(call, (snapshot) => snapshot.phase.kind === "joining");
  const silent = useSnapshot(
    call,
    ({ self }) => !isUsed(self.microphone.state.kind) && !isUsed(self.camera.state.kind),
  );

  // Who comes back has a name already: the next thing to press is the door.
  const hadName = useRef(name !== "");
  useEffect(() => {
    // A finger brings up a keyboard, which would hide the preview.
    if (!hadName.current && matchMedia("(pointer: fine)").matches) input.current?.focus();
  }, []);

  const join = (event: FormEvent): void => {
    event.preventDefault();
    if (joining) return;
    const trimmed = name.trim();
    if (trimmed === "") {
      setMissing(true);
      input.current?.focus();
      return;
    }
    setPreferences({ name: trimmed });
    announce(t`Joining the meeting…`);
    call.setName(trimmed);
    call.join();
  };

  return (
    <form className={c("name")} onSubmit={join} noValidate>
      <TextField
        label={t`Your name`}
        value={name}
        onChange={(value) => {
          onName(value);
          setMissing(false);
        }}
        error={missing ? t`Enter the name that the others shall see.` : undefined}
        maxLength={MAX_NAME_CHARS}
        isRequired
        autoComplete="name"
        enterKeyHint="go"
        inputRef={input}
      />
      <Button type="submit" variant="primary" size="large" wide isPending={joining}>
        {silent ? <Trans>Join to watch and listen</Trans> : <Trans>Join the meeting</Trans>}
      </Button>
    </form>
  );
}

function isUsed(kind: "on" | "off" | "starting" | "blocked"): boolean {
  return kind === "on" || kind === "starting";
}
