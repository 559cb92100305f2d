import type { NoticeKind } from "@conclave/client";
import type { MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";

/** What a notice says; `name` is the person it is about. */
export function noticeWords(kind: NoticeKind, name: string): MessageDescriptor {
  switch (kind) {
    case "joined":
      return msg`${name} joined`;
    case "left":
      return msg`${name} left`;
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
  }
}

/** Whether something wants care, rather than to be known. */
export function wantsCare(kind: NoticeKind): boolean {
  return !(
    kind === "joined" ||
    kind === "left" ||
    kind === "reconnected" ||
    kind === "screenStopped"
  );
}

/** How long a notice stays, in ms; nothing for one that stays until it is answered. */
export function stayMs(kind: NoticeKind): number | undefined {
  if (kind === "audioBlocked") return undefined;
  return wantsCare(kind) ? 12_000 : 5_000;
}
