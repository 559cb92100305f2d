import type { Want } from "@conclave/wire";
import { act } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { DemoCall, type Scenario } from "../../demo/DemoCall";
import { render } from "../../testing/render";
import { SCENARIO } from "../../testing/scenario";
import type { LayoutWish } from "./layoutWish";
import { Stage } from "./Stage";

// Pictures are painted on a canvas, which this DOM does not have.
vi.mock("../../demo/scene", () => ({ paintPerson: () => undefined, paintScreen: () => undefined }));

const AUTO: LayoutWish = { mode: "auto", pin: undefined };

let resize: (width: number, height: number) => void = () => undefined;

beforeEach(() => {
  vi.stubGlobal(
    "ResizeObserver",
    class {
      constructor(private readonly report: ResizeObserverCallback) {}

      observe(): void {
        resize = (width, height) => {
          const entry = { contentRect: { width, height } } as ResizeObserverEntry;
          this.report([entry], this);
        };
      }

      unobserve(): void {}

      disconnect(): void {}
    },
  );
});

afterEach(() => vi.unstubAllGlobals());

async function drawStage(scenario: Partial<Scenario>, layout = AUTO, page = 0): Promise<DemoCall> {
  const call = new DemoCall({ ...SCENARIO, ...scenario });
  await render(
    <Stage
      call={call}
      layout={layout}
      page={page}
      onPage={() => undefined}
      onPin={() => undefined}
      signsOf={() => null}
      whenAlone={<p>Nobody else</p>}
    />,
  );
  await act(async () => resize(1280, 640));
  return call;
}

const tiles = (): string[] =>
  [...document.querySelectorAll('[data-testid="tile"]')].map(
    (tile) => `${tile.getAttribute("data-kind")} ${tile.getAttribute("data-participant")}`,
  );
const priorities = (wants: readonly Want[]): string[] => wants.map(({ priority }) => priority);

test("the call is asked for each camera in sight, once", async () => {
  const call = await drawStage({ people: 4 });
  expect(tiles()).toEqual(["self self", "camera 1", "camera 2", "camera 3"]);
  expect(call.view.wants.map(({ publication }) => publication)).toEqual([100, 101, 102]);
  expect(call.view.count).toBe(1);
});

test("who speaks changes a ring, not what the call is asked for", async () => {
  const call = await drawStage({ people: 4 });
  const before = document.querySelector('[data-participant="3"]');
  await act(async () => call.speakNext());
  expect(call.view.count).toBe(1);
  expect(document.querySelector('[data-participant="3"]')).toBe(before);
});

test("another size asks anew, the same size does not", async () => {
  const call = await drawStage({ people: 4 });
  await act(async () => resize(1280, 640));
  expect(call.view.count).toBe(1);
  await act(async () => resize(640, 400));
  expect(call.view.count).toBe(2);
});

test("a shared screen is featured, with its sharer first beside it", async () => {
  const call = await drawStage({ people: 5, sharing: true });
  expect(tiles().slice(0, 2)).toEqual(["screen 1", "camera 1"]);
  expect(priorities(call.view.wants)[0]).toBe("featured");
  expect(new Set(priorities(call.view.wants).slice(1))).toEqual(new Set(["thumbnail"]));
});

test("what is on another page is not asked for", async () => {
  const call = await drawStage({ people: 40 });
  const first = new Set(call.view.wants.map(({ publication }) => publication));
  const second = await drawStage({ people: 40 }, AUTO, 1);
  expect(second.view.wants.length).toBeGreaterThan(0);
  expect(second.view.wants.some(({ publication }) => first.has(publication))).toBe(false);
  expect(document.body.textContent).toContain("Page 2 of 2");
});

test("alone, one sees oneself and how to invite others", async () => {
  await drawStage({ people: 1 });
  expect(document.body.textContent).toContain("Nobody else");
  expect(tiles()).toEqual(["self self"]);
});
