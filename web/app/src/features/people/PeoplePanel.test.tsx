import { act } from "react";
import { expect, test, vi } from "vitest";
import { DemoCall, type Scenario } from "../../demo/DemoCall";
import { byRole, press, render } from "../../testing/render";
import { SCENARIO } from "../../testing/scenario";
import { PeoplePanel } from "./PeoplePanel";

vi.mock("../../demo/scene", () => ({ paintPerson: () => undefined, paintScreen: () => undefined }));

async function drawPanel(scenario: Partial<Scenario>): Promise<DemoCall> {
  const call = new DemoCall({ ...SCENARIO, people: 8, ...scenario });
  await render(
    <PeoplePanel
      call={call}
      pinned={undefined}
      onPin={() => undefined}
      onClose={() => undefined}
      lobby={null}
      invite={null}
    />,
  );
  return call;
}

const row = (id: string): string =>
  document.querySelector(`[data-testid="person"][data-person="${id}"]`)?.textContent ?? "";
const rows = (): (string | undefined)[] =>
  [...document.querySelectorAll<HTMLElement>('[data-testid="person"]')].map(
    ({ dataset }) => dataset["person"],
  );
const items = (): string[] =>
  [...document.querySelectorAll('[role="menuitem"]')].map(({ textContent }) => textContent ?? "");

test("each is listed with role and proof", async () => {
  await drawPanel({});
  expect(row("1")).toContain("Host, proved by the meeting’s host key");
  expect(row("2")).toContain("Guest: the name is their own word");
  expect(row("3")).toContain("Co-host: appointed here, the name is their own word");
});

test("who is not verified comes first: the new, then those with another’s name", async () => {
  await drawPanel({ oddities: true });
  expect(rows()).toEqual(["6", "2", "4", "3", "5", "7", "1"]);
  expect(row("6")).toContain("New");
  expect(row("2")).toContain("Somebody else here has the same name");
  expect(row("7")).toContain("Leaving");
  expect(row("5")).toContain("Forbidden: Microphone, Chat");
});

test("a guest is offered nothing that the rules refuse", async () => {
  await drawPanel({ role: "guest" });
  expect(document.querySelector('[role="switch"]')).toBeNull();
  await press(byRole("button", "Options for Jonas Weber"));
  expect(items()).toEqual(["Pin"]);
});

test("a co-host directs guests, but neither hosts nor other co-hosts", async () => {
  await drawPanel({ role: "coHost" });
  await press(byRole("button", "Options for Amara Okafor"));
  expect(items()).toEqual(["Pin"]);
  await drawPanel({ role: "coHost" });
  await press(byRole("button", "Options for Dewi Lestari"));
  expect(items()).toContain("Allow to let people in");
  expect(items()).not.toContain("Make co-host");
  expect(items()).toContain("Remove from the meeting…");
});

test("nobody is removed without being asked about", async () => {
  const call = await drawPanel({});
  const kick = vi.spyOn(call, "kick");
  await press(byRole("button", "Options for Dewi Lestari"));
  await press(byRole("menuitem", "Remove from the meeting…"));
  expect(kick).not.toHaveBeenCalled();
  expect(document.body.textContent).toContain("Remove Dewi Lestari?");
  await press(byRole("button", "Remove"));
  expect(kick).toHaveBeenCalledExactlyOnceWith("4");
});

test("the lock goes on and off", async () => {
  const call = await drawPanel({});
  const lock = document.querySelector<HTMLInputElement>('input[role="switch"]');
  await act(async () => lock?.click());
  expect(call.snapshot().group.locked).toBe(true);
  await act(async () => lock?.click());
  expect(call.snapshot().group.locked).toBe(false);
});
