import { act } from "react";
import { expect, test, vi } from "vitest";
import { DemoCall, type Scenario } from "../../demo/DemoCall";
import { byRole, press, render } from "../../testing/render";
import { SCENARIO } from "../../testing/scenario";
import { LobbyPrompt } from "./LobbyPrompt";
import { LobbySection } from "./LobbySection";

vi.mock("../../demo/scene", () => ({ paintPerson: () => undefined, paintScreen: () => undefined }));

async function drawPrompt(scenario: Partial<Scenario>): Promise<DemoCall> {
  const call = new DemoCall({ ...SCENARIO, ...scenario });
  await render(<LobbyPrompt call={call} isPanelOpen={false} onShowAll={() => undefined} />);
  return call;
}

const prompt = (): Element | null => document.querySelector('[data-testid="lobby-prompt"]');
const said = (): string => document.querySelector('[data-testid="announcer"]')?.textContent ?? "";

test("nobody at the door, nothing to see", async () => {
  await drawPrompt({ knocks: 0 });
  expect(prompt()).toBeNull();
});

test("who knocks is named as their own word, and said once", async () => {
  const call = await drawPrompt({ knocks: 1 });
  expect(prompt()?.textContent).toContain("Says the name “Priya Natarajan”");
  expect(prompt()?.textContent).toContain("Unverified guest");
  await act(async () => call.setName("Elena M."));
  expect(said().match(/Priya Natarajan/g)).toHaveLength(1);
});

test("a name that another has is warned of; a proved host is said to be one", async () => {
  const call = new DemoCall({ ...SCENARIO, knocks: 3 });
  await render(<LobbySection call={call} />);
  const knocks = [...document.querySelectorAll('[data-testid="knock"]')].map(
    ({ textContent }) => textContent ?? "",
  );
  expect(knocks.map((text) => text.includes("same name"))).toEqual([false, true, false]);
  expect(knocks.map((text) => text.includes("proved by the meeting’s host key"))).toEqual([
    false,
    false,
    true,
  ]);
});

test("an answer goes to the one it is for", async () => {
  const call = await drawPrompt({ knocks: 2 });
  const [admit, deny] = [vi.spyOn(call, "admit"), vi.spyOn(call, "deny")];
  await press(byRole("button", "Turn Jonas Weber away"));
  await press(byRole("button", "Let in Priya Natarajan"));
  expect(deny.mock.calls[0]).toEqual([72]);
  expect(admit.mock.calls[0]).toEqual([71]);
  expect(prompt()).toBeNull();
});

test("put away, it stays away until somebody else knocks", async () => {
  const call = await drawPrompt({ knocks: 1 });
  await press(byRole("button", "Later"));
  expect(prompt()).toBeNull();
  await act(async () => call.knock());
  expect(prompt()).not.toBeNull();
});

test("all are let in at once from the panel", async () => {
  const call = new DemoCall({ ...SCENARIO, knocks: 3 });
  await render(<LobbySection call={call} />);
  await press(byRole("button", "Let all in"));
  expect(call.snapshot().group.knocks).toEqual([]);
  expect(call.snapshot().others).toHaveLength(7);
});

test("in a locked meeting nobody can be let in until it is unlocked", async () => {
  const call = await drawPrompt({ knocks: 1, locked: true });
  expect(document.querySelector('[data-testid="knock"]')).toBeNull();
  await press(byRole("button", "Unlock"));
  expect(call.snapshot().group.locked).toBe(false);
  expect(byRole("button", "Let in Priya Natarajan")).toBeDefined();
});
