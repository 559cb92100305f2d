import type { ShieldBasis, ShieldGap, ShieldLevel } from "@conclave/wire";
import { i18n } from "@lingui/core";
import { expect, test, vi } from "vitest";
import { DemoCall, type Scenario } from "../../demo/DemoCall";
import { byRole, press, render } from "../../testing/render";
import { SCENARIO } from "../../testing/scenario";
import { ShieldButton } from "./ShieldButton";
import { ShieldDialog } from "./ShieldDialog";
import { basisWords, gapWords } from "./shieldWords";

vi.mock("../../demo/scene", () => ({ paintPerson: () => undefined, paintScreen: () => undefined }));

async function drawDialog(scenario: Partial<Scenario>): Promise<DemoCall> {
  const call = new DemoCall({ ...SCENARIO, ...scenario });
  await render(<ShieldDialog call={call} isOpen onClose={() => undefined} />);
  return call;
}

const text = (): string => document.body.textContent ?? "";

test.each([
  ["none", "Not in the meeting yet"],
  ["unverified", "End-to-end encrypted, names not verified"],
  ["compared", "End-to-end encrypted and compared"],
  ["doubtful", "Protection in doubt"],
  ["stopped", "Stopped: nothing is sent"],
] satisfies [ShieldLevel, string][])("the level %s reads %j", async (shield, words) => {
  const call = new DemoCall({ ...SCENARIO, shield });
  await render(<ShieldButton call={call} onOpen={() => undefined} />);
  expect(byRole("button", words)).toBeDefined();
});

test("a host alone is not said to be among names that are not verified", async () => {
  const call = new DemoCall({ ...SCENARIO, people: 1 });
  await render(<ShieldButton call={call} onOpen={() => undefined} />);
  expect(byRole("button", "End-to-end encrypted")).toBeDefined();
});

test.each([
  ["inGroup", "no sign of life has come from those who must give one"],
  ["catchingUp", "the change that made them has not reached your device"],
] as const)("a doubt is said with its cause: %s", async (state, cause) => {
  await drawDialog({ shield: "doubtful", state });
  expect(text()).toContain("Protection in doubt");
  expect(text()).toContain(cause);
});

test("each ground and each gap has words of its own", () => {
  const grounds: ShieldBasis[] = [
    { type: "groupKeys", members: 3 },
    { type: "constitution" },
    { type: "linkSecret" },
    { type: "hosts", count: 1 },
    { type: "heard", heard: 1, others: 2 },
    { type: "codeCompared" },
    { type: "classification", classification: "open" },
  ];
  const gaps: ShieldGap[] = [
    { type: "unverified", count: 2 },
    { type: "codeNotCompared" },
    { type: "insider" },
    { type: "clientCode" },
    { type: "gateways" },
    { type: "metadata" },
    { type: "voiceLevel" },
  ];
  const words = [...grounds.map(basisWords), ...gaps.map(gapWords)].map((one) => i18n._(one));
  expect(new Set(words).size).toBe(grounds.length + gaps.length);
  for (const one of words) expect(one.length).toBeGreaterThan(20);
});

test("what is not covered is shown beside what is", async () => {
  await drawDialog({});
  expect(text()).toContain("The keys were agreed on by 5 devices");
  expect(text()).toContain("This program itself came from a server.");
});

test("the code is compared in a locked meeting only", async () => {
  const call = await drawDialog({});
  expect(text()).not.toContain("It is the same");
  await press(byRole("button", "Lock the meeting"));
  await press(byRole("button", "It is the same"));
  expect(call.snapshot().group.shield.level).toBe("compared");
  expect(text()).toContain("You said that the code is the same.");
});

test("who may not lock is told to ask a host", async () => {
  await drawDialog({ role: "guest" });
  expect(text()).toContain("Ask a host to lock it before you compare.");
});

test("a code that is different is said to mean what it means, and leads out", async () => {
  const call = await drawDialog({ locked: true });
  await press(byRole("button", "It is different"));
  expect(byRole("alert", /Somebody sits between you/)).toBeDefined();
  await press(byRole("button", "Leave the meeting"));
  expect(call.snapshot().phase.kind).toBe("ended");
});
