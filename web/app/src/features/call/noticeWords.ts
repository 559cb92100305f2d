import type { Notice, NoticeKind } from "@conclave/client";
import type { MuteWhat } from "@conclave/wire";
import type { MessageDescriptor } from "@lingui/core";
import { msg, plural } from "@lingui/core/macro";

const FORBIDDEN_ANY = msg`A host has forbidden you to send something.`;
const FORBIDDEN: Readonly<Record<MuteWhat, MessageDescriptor>> = {
  microphone: msg`A host has switched your microphone off. It stays off until they allow it again.`,
  camera: msg`A host has switched your camera off. It stays off until they allow it again.`,
  screen: msg`A host has forbidden you to share your screen.`,
  chat: msg`A host has forbidden you to write in the chat.`,
};

const ALLOWED_ANY = msg`A host allows you to send again what was forbidden.`;
const ALLOWED: Readonly<Record<MuteWhat, MessageDescriptor>> = {
  microphone: msg`You may switch your microphone on again.`,
  camera: msg`You may switch your camera on again.`,
  screen: msg`You may share your screen again.`,
  chat: msg`You may write in the chat again.`,
};

/** What a notice says; `name` is the person it is about, the newest of `count` if it is a crowd. */
export function noticeWords(
  { kind, what }: Pick<Notice, "kind" | "what">,
  name: string,
  count = 1,
): MessageDescriptor {
  const others = count - 1;
  switch (kind) {
    case "joined":
      if (others === 0) return msg`${name} joined`;
      return msg`${name} and ${plural(others, { one: "# other", other: "others" })} joined`;
    case "left":
      if (others === 0) return msg`${name} left`;
      return msg`${name} and ${plural(others, { one: "# other", other: "others" })} left`;
    case "cameraFailed":
      return msg`The camera did not start. Choose another one in the settings.`;
    case "cameraLost":
      return msg`The camera was unplugged or stopped. Your picture is off.`;
    case "microphoneFailed":
      return msg`The microphone did not start. Choose another one in the settings.`;
    case "microphoneLost":
      return msg`The microphone was unplugged or stopped. The others cannot hear you.`;
    case "screenFailed":
      return msg`The screen could not be shared. Try again, or choose another window.`;
    case "screenStopped":
      return msg`You no longer share your screen.`;
    case "speakingWhileMuted":
      return msg`You are speaking, but your microphone is off.`;
    case "audioBlocked":
      return msg`The browser holds the sound back until you allow it.`;
    case "reconnected":
      return msg`You are connected again.`;
    case "silence":
      return msg`Signs of life from the meeting are missing. If it lasts, the call pauses.`;
    case "serverOverreach":
      return msg`The server tried to change the meeting in a way that it may not. Your device refused.`;
    case "withheld":
      return msg`The server is late with a change of the meeting. If it lasts, the call pauses.`;
    case "stalled":
      return msg`The server does not pass on a change that you made. Trying again…`;
    case "askedToMute":
      return msg`${name} asks you to switch your microphone off.`;
    case "forbidden":
      return what === undefined ? FORBIDDEN_ANY : FORBIDDEN[what];
    case "allowed":
      return what === undefined ? ALLOWED_ANY : ALLOWED[what];
    case "notDone":
      return msg`That was not possible. The meeting’s rules may not allow it, or somebody was faster.`;
  }
}

/** Whether many of this kind at once are told as one. */
export function isCrowd(kind: NoticeKind): boolean {
  return kind === "joined" || kind === "left";
}

/** Whether something wants care, rather than to be known. */
export function wantsCare(kind: NoticeKind): boolean {
  return !(
    kind === "joined" ||
    kind === "left" ||
    kind === "reconnected" ||
    kind === "allowed" ||
    kind === "screenStopped"
  );
}

/** How long a notice stays, in ms; nothing for one that stays until it is answered. */
export function stayMs(kind: NoticeKind): number | undefined {
  if (kind === "audioBlocked" || kind === "serverOverreach") return undefined;
  return wantsCare(kind) ? 12_000 : 5_000;
}
