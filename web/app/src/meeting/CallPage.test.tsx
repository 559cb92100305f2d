import { act } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { DemoCall, type Scenario } from "../demo/DemoCall";
import { allByRole, byRole, press, render } from "../testing/render";
import { SCENARIO } from "../testing/scenario";
import { CallPage } from "./CallPage";

vi.mock("../demo/scene", () => ({ paintPerson: () => undefined, paintScreen: () => undefined }));

const INVITATION = "https://meet.example/m/AAAAAAAAAAAAAAAAAAAAAA#1.secret.digest";

beforeEach(() => {
  vi.stubGlobal(
    "ResizeObserver",
    class {
      observe(): void {}
      unobserve(): void {}
      disconnect(): void {}
    },
  );
});

afterEach(() => vi.unstubAllGlobals());

async function drawCall(scenario: Partial<Scenario>): Promise<DemoCall> {
  const call = new DemoCall({ ...SCENARIO, title: "Budget", ...scenario });
  await render(<CallPage call={call} link={INVITATION} />);
  return call;
}

test("who knocks is seen from another tab, until they are answered", async () => {
  const call = await drawCall({ knocks: 1 });
  expect(document.title).toBe("● Asking to come in (1) – (5) Budget – Conclave");
  await act(async () => call.deny(71));
  expect(document.title).toBe("(5) Budget – Conclave");
});

test("while nothing is sent there are no pictures, but the reason", async () => {
  await drawCall({ state: "forked", shield: "stopped" });
  expect(document.querySelector('[data-testid="tile"]')).toBeNull();
  expect(byRole("heading", "The meeting is split")).toBeDefined();
  expect(byRole("button", "Stopped: nothing is sent")).toBeDefined();
});

test("a change that is being fetched does not take the pictures", async () => {
  await drawCall({ state: "catchingUp" });
  expect(document.body.textContent).toContain("Your device is fetching a change of the meeting.");
  expect(document.querySelector('[data-testid="interruption"]')).toBeNull();
});

test("the shield in the header leads to what it is based on", async () => {
  await drawCall({});
  await press(byRole("button", "End-to-end encrypted, names not verified"));
  expect(byRole("heading", "What this is based on")).toBeDefined();
});

test("those who knock are in one place at a time", async () => {
  await drawCall({ knocks: 2 });
  expect(document.querySelectorAll('[data-testid="knock"]')).toHaveLength(2);
  await press(byRole("button", "People, 5 in the call, 2 asking to come in"));
  expect(document.querySelectorAll('[data-testid="knock"]')).toHaveLength(2);
  expect(document.querySelector('[data-testid="lobby-prompt"]')).toBeNull();
});

test("what is copied inside the call is the guests’ link", async () => {
  const writeText = vi.spyOn(navigator.clipboard, "writeText").mockResolvedValue();
  await drawCall({});
  await press(byRole("button", "People, 5 in the call"));
  await press(byRole("button", "Copy invitation link"));
  expect(writeText).toHaveBeenCalledExactlyOnceWith(INVITATION);
  const names = allByRole("button").map(({ textContent }) => textContent ?? "");
  expect(names.some((name) => name.includes("host link"))).toBe(false);
});

test("somebody who asks to mute is answered with one press", async () => {
  const call = await drawCall({ notices: ["askedToMute"] });
  await press(byRole("button", "Mute"));
  expect(call.snapshot().self.microphone.state.kind).toBe("off");
  expect(call.snapshot().notices).toEqual([]);
});
