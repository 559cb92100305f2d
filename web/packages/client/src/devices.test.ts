import { beforeEach, describe, expect, test } from "vitest";

import { blockOf, type DeviceKind, LocalDevices } from "./devices";
import type { DeviceSnapshot } from "./snapshot";

/** A capturing device's track, as far as it is used. */
class FakeTrack {
  onended: (() => void) | null = null;
  readyState = "live";
  contentHint = "";

  constructor(
    readonly kind: "audio" | "video",
    readonly deviceId: string,
  ) {}

  stop(): void {
    this.readyState = "ended";
  }

  getSettings(): MediaTrackSettings {
    return { deviceId: this.deviceId };
  }

  /** The cable is pulled. */
  unplug(): void {
    this.readyState = "ended";
    this.onended?.();
  }
}

/** A browser with these devices, which refuses as it is told. */
class FakeMedia extends EventTarget {
  plugged = ["mic-a", "mic-b", "cam-a", "cam-b"];
  readonly opened: FakeTrack[] = [];
  readonly asked: MediaStreamConstraints[] = [];
  refuse: (constraints: MediaStreamConstraints) => string | undefined = () => undefined;
  /** Answers wait until it is set free. */
  gate: Promise<void> = Promise.resolve();

  async getUserMedia(constraints: MediaStreamConstraints): Promise<MediaStream> {
    this.asked.push(constraints);
    await this.gate;
    const name = this.refuse(constraints);
    if (name !== undefined) throw new DOMException("", name);
    const tracks = (["audio", "video"] as const)
      .filter((kind) => constraints[kind] !== undefined)
      .map((kind) => new FakeTrack(kind, this.#choose(kind, constraints[kind])));
    this.opened.push(...tracks);
    return {
      getTracks: () => tracks,
      getAudioTracks: () => tracks.filter(({ kind }) => kind === "audio"),
      getVideoTracks: () => tracks.filter(({ kind }) => kind === "video"),
    } as unknown as MediaStream;
  }

  async enumerateDevices(): Promise<MediaDeviceInfo[]> {
    const known = this.opened.length > 0;
    return this.plugged.map((deviceId) => ({
      deviceId: known ? deviceId : "",
      label: known ? `The ${deviceId}` : "",
      groupId: "",
      kind: deviceId.startsWith("mic") ? "audioinput" : "videoinput",
      toJSON: () => ({}),
    }));
  }

  live(): string[] {
    return this.opened.filter((t) => t.readyState === "live").map(({ deviceId }) => deviceId);
  }

  #choose(kind: "audio" | "video", wish: boolean | MediaTrackConstraints | undefined): string {
    const fitting = this.plugged.filter((id) => id.startsWith(kind === "audio" ? "mic" : "cam"));
    const { deviceId } = typeof wish === "object" ? wish : {};
    const exact = typeof deviceId === "object" && "exact" in deviceId ? deviceId.exact : undefined;
    if (exact === undefined) return fitting[0] ?? "";
    const found = fitting.find((id) => id === exact);
    if (found === undefined) throw new DOMException("deviceId", "OverconstrainedError");
    return found;
  }
}

let media: FakeMedia;
let devices: LocalDevices;
let events: string[];

function open(): LocalDevices {
  return new LocalDevices(
    {
      onChange: () => {},
      onLost: (kind) => events.push(`lost ${kind}`),
      onFailed: (kind) => events.push(`failed ${kind}`),
    },
    { media: media as unknown as MediaDevices, storage: localStorage },
  );
}

const state = (kind: DeviceKind): DeviceSnapshot["state"] => devices.snapshot(kind).state;
const settle = async (): Promise<void> => {
  for (let i = 0; i < 50; i += 1) await Promise.resolve();
};

beforeEach(() => {
  localStorage.clear();
  media = new FakeMedia();
  events = [];
  devices = open();
});

test("both are asked for in one question", async () => {
  await devices.prepare({ microphone: true, camera: true });
  expect(media.asked).toHaveLength(1);
  expect(state("microphone")).toEqual({ kind: "on" });
  expect(state("camera")).toEqual({ kind: "on" });
  expect(devices.snapshot("camera")).toMatchObject({
    selected: "cam-a",
    devices: [
      { deviceId: "cam-a", label: "The cam-a" },
      { deviceId: "cam-b", label: "The cam-b" },
    ],
  });
});

test("nothing is listed before permission", async () => {
  await settle();
  expect(devices.snapshot("microphone").devices).toEqual([]);
});

test("a denied camera does not silence the microphone", async () => {
  media.refuse = ({ video }) => (video === undefined ? undefined : "NotAllowedError");
  await devices.prepare({ microphone: true, camera: true });
  expect(state("microphone")).toEqual({ kind: "on" });
  expect(state("camera")).toEqual({ kind: "blocked", why: "noPermission" });
  expect(events).toEqual(["failed camera"]);
});

test("a camera that is too strictly asked for is asked for anyhow", async () => {
  media.refuse = ({ video }) => (video === true ? undefined : "OverconstrainedError");
  await devices.set("camera", true);
  expect(state("camera")).toEqual({ kind: "on" });
});

test.each([
  ["NotAllowedError", "noPermission"],
  ["SecurityError", "noPermission"],
  ["NotFoundError", "noDevice"],
  ["NotReadableError", "inUse"],
  ["AbortError", "inUse"],
  ["OverconstrainedError", "failed"],
])("%s means %s", async (name, why) => {
  expect(blockOf(new DOMException("", name))).toBe(why);
  media.refuse = () => name;
  await devices.set("microphone", true);
  expect(state("microphone")).toEqual({ kind: "blocked", why });
});

test("what was blocked can be tried again", async () => {
  media.refuse = () => "NotReadableError";
  await devices.set("camera", true);
  media.refuse = () => undefined;
  await devices.set("camera", true);
  expect(state("camera")).toEqual({ kind: "on" });
});

test("a camera that is off is stopped; a microphone stays open and is not live", async () => {
  await devices.prepare({ microphone: true, camera: true });
  await devices.set("camera", false);
  await devices.set("microphone", false);
  expect(media.live()).toEqual(["mic-a"]);
  expect(devices.live("microphone")).toBeUndefined();
  expect(devices.heldMicrophone()).toBeDefined();
  await devices.set("microphone", true);
  expect(media.asked).toHaveLength(1);
});

test("switched off while it opens, it stays off", async () => {
  const gate = Promise.withResolvers<void>();
  media.gate = gate.promise;
  const opening = devices.set("camera", true);
  expect(state("camera")).toEqual({ kind: "starting" });
  await devices.set("camera", false);
  gate.resolve();
  await opening;
  expect(state("camera")).toEqual({ kind: "off" });
  expect(media.live()).toEqual([]);
});

test("a choice takes the place of what runs, and is remembered", async () => {
  await devices.prepare({ microphone: true, camera: true });
  await devices.select("camera", "cam-b");
  expect(media.live()).toEqual(["mic-a", "cam-b"]);
  expect(devices.snapshot("camera").selected).toBe("cam-b");
  devices.dispose();
  devices = open();
  await devices.set("camera", true);
  expect(devices.snapshot("camera").selected).toBe("cam-b");
});

describe("a device that is unplugged", () => {
  test("gives way to another, and it is told", async () => {
    await devices.select("microphone", "mic-b");
    await devices.set("microphone", true);
    media.plugged = ["mic-a", "cam-a"];
    media.opened.at(-1)?.unplug();
    await settle();
    expect(events).toEqual(["lost microphone"]);
    expect(state("microphone")).toEqual({ kind: "on" });
    expect(devices.snapshot("microphone").selected).toBe("mic-a");
  });

  test("is missed where there is no other", async () => {
    await devices.set("camera", true);
    media.refuse = () => "NotFoundError";
    media.opened.at(-1)?.unplug();
    await settle();
    expect(events).toEqual(["lost camera", "failed camera"]);
    expect(state("camera")).toEqual({ kind: "blocked", why: "noDevice" });
  });

  test("is no news while it is off", async () => {
    await devices.set("microphone", true);
    await devices.set("microphone", false);
    media.opened.at(-1)?.unplug();
    await settle();
    expect(events).toEqual([]);
    await devices.set("microphone", true);
    expect(state("microphone")).toEqual({ kind: "on" });
  });
});

test("a new device is listed when it comes", async () => {
  await devices.set("camera", true);
  media.plugged = [...media.plugged, "cam-c"];
  media.dispatchEvent(new Event("devicechange"));
  await settle();
  expect(devices.snapshot("camera").devices).toHaveLength(3);
});

test("the end leaves nothing open", async () => {
  await devices.prepare({ microphone: true, camera: true });
  devices.dispose();
  expect(media.live()).toEqual([]);
});
