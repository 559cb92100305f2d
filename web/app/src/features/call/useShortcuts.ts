import type { CallCommands } from "@conclave/client";
import { useEffect, useRef } from "react";
import { usePreferences } from "../../preferences";
import { type ShortcutAction, shortcutOf } from "./shortcuts";

export type ShortcutHandlers = Readonly<
  Record<Exclude<ShortcutAction, "microphone" | "camera" | "share" | "hand" | "talk">, () => void>
>;

/** Listens for a call's keys while its component is there. */
export function useShortcuts(call: CallCommands, handlers: ShortcutHandlers): void {
  const { shortcuts } = usePreferences();
  const latest = useRef(handlers);
  useEffect(() => {
    latest.current = handlers;
  });

  useEffect(() => {
    if (!shortcuts) return undefined;
    const talk = new PushToTalk(call);
    const onDown = (event: KeyboardEvent): void => {
      const action = shortcutOf(event);
      if (action === undefined) return;
      event.preventDefault();
      if (action === "talk") talk.press();
      else if (!event.repeat) run(call, action, latest.current);
    };
    const onUp = (event: KeyboardEvent): void => {
      if (event.key === " ") talk.release();
    };
    const onBlur = (): void => talk.release();
    addEventListener("keydown", onDown);
    addEventListener("keyup", onUp);
    addEventListener("blur", onBlur);
    return () => {
      talk.release();
      removeEventListener("keydown", onDown);
      removeEventListener("keyup", onUp);
      removeEventListener("blur", onBlur);
    };
  }, [call, shortcuts]);
}

function run(
  call: CallCommands,
  action: Exclude<ShortcutAction, "talk">,
  handlers: ShortcutHandlers,
): void {
  const { hands, self } = call.snapshot();
  const { microphone, camera, screen } = self;
  switch (action) {
    case "microphone":
      call.setMicrophone(microphone.state.kind !== "on");
      return;
    case "camera":
      call.setCamera(camera.state.kind !== "on");
      return;
    case "share":
      if (screen.kind === "on") call.stopScreen();
      else if (screen.kind === "off") call.startScreen();
      return;
    case "hand":
      call.raiseHand(self.id === undefined || !hands.includes(self.id));
      return;
    default:
      handlers[action]();
  }
}

/** The microphone is on while the space bar is down, if it was off before. */
class PushToTalk {
  #isHeld = false;

  constructor(private readonly call: CallCommands) {}

  press(): void {
    if (this.#isHeld || this.call.snapshot().self.microphone.state.kind !== "off") return;
    this.#isHeld = true;
    this.call.setMicrophone(true);
  }

  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.call.setMicrophone(false);
  }
}
