import type { MemberState } from "@conclave/wire";
import { expect, test, vi } from "vitest";
import { DemoCall } from "../../demo/DemoCall";
import { byRole, press, render } from "../../testing/render";
import { SCENARIO } from "../../testing/scenario";
import { InterruptionView } from "./InterruptionView";
import { interruptionOf } from "./interruptions";

vi.mock("../../demo/scene", () => ({ paintPerson: () => undefined, paintScreen: () => undefined }));

async function drawInterruption(state: MemberState): Promise<DemoCall> {
  const call = new DemoCall({ ...SCENARIO, state, shield: "stopped" });
  const interruption = interruptionOf(state);
  if (interruption === undefined) throw new Error(`${state} is no interruption`);
  await render(<InterruptionView call={call} interruption={interruption} />);
  return call;
}

const STOPPED = ["forked", "refused", "stranded", "suspendedSilence", "suspendedWithheld"] as const;

test("each stop has its own words; what goes on by itself is none", () => {
  const titles = STOPPED.map((state) => interruptionOf(state)?.what.id);
  expect(new Set(titles).size).toBe(STOPPED.length);
  expect(titles).not.toContain(undefined);
  expect(interruptionOf("inGroup")).toBeUndefined();
  expect(interruptionOf("catchingUp")).toBeUndefined();
});

test.each(["forked", "refused", "stranded"] as const)("%s can be come back from", async (state) => {
  const call = await drawInterruption(state);
  const rejoin = vi.spyOn(call, "rejoinGroup");
  expect(document.body.textContent).toContain("Nothing of yours is sent.");
  await press(byRole("button", "Come in anew"));
  expect(rejoin).toHaveBeenCalledOnce();
});

test.each(["suspendedSilence", "suspendedWithheld"] as const)(
  "%s is waited out or left",
  async (state) => {
    const call = await drawInterruption(state);
    expect(document.body.textContent).not.toContain("Come in anew");
    await press(byRole("button", "Leave"));
    expect(call.snapshot().phase.kind).toBe("ended");
  },
);
