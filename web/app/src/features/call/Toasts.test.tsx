import type { NoticeKind } from "@conclave/client";
import { act } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { DemoCall } from "../../demo/DemoCall";
import { byRole, render } from "../../testing/render";
import { SCENARIO } from "../../testing/scenario";
import { Toasts } from "./Toasts";

// Pictures are painted on a canvas, which this DOM does not have.
vi.mock("../../demo/scene", () => ({ paintPerson: () => undefined, paintScreen: () => undefined }));

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

async function draw(...notices: NoticeKind[]): Promise<DemoCall> {
  const call = new DemoCall({ ...SCENARIO, notices });
  await render(<Toasts call={call} />);
  return call;
}

const shown = (): string[] =>
  [...(document.querySelector("section")?.children ?? [])].map((toast) => toast.textContent ?? "");

test("a crowd that comes is told as one, and so is one that goes", async () => {
  await draw("joined", "joined", "reconnected", "left", "joined", "left");
  expect(shown()).toEqual([
    "You are connected again.",
    expect.stringMatching(/^.+ and others joined$/),
    expect.stringMatching(/^.+ and 1 other left$/),
  ]);
});

test("one dismissal takes a whole crowd away", async () => {
  const call = await draw("joined", "joined", "joined");
  await act(async () => byRole("button", "Dismiss").click());
  expect(shown()).toEqual([]);
  expect(call.snapshot().notices).toEqual([]);
});

test("a crowd goes by itself, all at once", async () => {
  await draw("joined", "joined");
  await act(async () => vi.advanceTimersByTime(4_900));
  expect(shown()).toHaveLength(1);
  await act(async () => vi.advanceTimersByTime(200));
  expect(shown()).toEqual([]);
});

test("of more than three, what wants care stays", async () => {
  await draw("joined", "cameraLost", "left", "microphoneLost", "silence");
  expect(shown()).toHaveLength(3);
  expect(shown().join()).not.toMatch(/joined|left/);
});
