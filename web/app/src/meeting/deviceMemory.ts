import type { CallCommands } from "@conclave/client";
import { useEffect } from "react";
import { useSnapshot } from "../useSnapshot";

/** Which devices were on: who was muted before a reload is muted after it. */
export interface DeviceWish {
  readonly microphone: boolean;
  readonly camera: boolean;
}

const KEY = "conclave.devicesOn";

/** What was on in this tab when it last showed a meeting; all, if it never did. */
export function recallDevices(storage: Storage): DeviceWish {
  const kept = storage.getItem(KEY);
  return kept === null
    ? { microphone: true, camera: true }
    : { microphone: kept.includes("m"), camera: kept.includes("c") };
}

/** Remembers what is on, for a reload of this tab. */
export function useDeviceMemory(call: CallCommands): void {
  const microphone = useSnapshot(call, ({ self }) => self.microphone.state.kind);
  const camera = useSnapshot(call, ({ self }) => self.camera.state.kind);
  const isOver = useSnapshot(call, ({ phase }) => phase.kind === "ended");
  useEffect(() => {
    // Only a person's own choice counts: not a device that is starting, missing or freed.
    if (isOver || !isSettled(microphone) || !isSettled(camera)) return;
    const text = `${microphone === "off" ? "" : "m"}${camera === "off" ? "" : "c"}`;
    sessionStorage.setItem(KEY, text);
  }, [microphone, camera, isOver]);
}

function isSettled(kind: "on" | "off" | "starting" | "blocked"): boolean {
  return kind !== "starting";
}
