import { act } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { DemoCall, type Scenario } from "../../demo/DemoCall";
import { byRole, render } from "../../testing/render";
import { SCENARIO } from "../../testing/scenario";
import { ReactionControls } from "./ReactionControls";
import { ReactionStack } from "./ReactionStack";
import { TileSigns } from "./TileSigns";

// Pictures are painted on a canvas, which this DOM does not have.
vi.mock("../../demo/scene", () => ({ paintPerson: () => undefined, paintScreen: () => undefined }));

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

function callOf(scenario: Partial<Scenario> = {}): DemoCall {
  return new DemoCall({ ...SCENARIO, ...scenario });
}

const said = (): string[] =>
  [...document.querySelectorAll('[data-testid="announcer"] p')].map(
    (line) => line.textContent ?? "",
  );
const stack = (): string[] =>
  [...(document.querySelector('[data-testid="reaction-stack"]')?.children ?? [])].map(
    (sign) => sign.textContent ?? "",
  );
const idOf = (call: DemoCall, at: number): string => call.snapshot().others[at]?.id ?? "";

async function drawControls(call: DemoCall, isOpen: boolean, isNarrow = false): Promise<void> {
  vi.stubGlobal("matchMedia", () => ({
    matches: isNarrow,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
  }));
  await render(<ReactionControls call={call} isOpen={isOpen} onOpen={() => undefined} />);
  await act(async () => vi.advanceTimersByTime(100));
  vi.unstubAllGlobals();
}

test("each of the six reactions can be chosen by its name", async () => {
  const call = callOf();
  await drawControls(call, true);
  for (const name of ["Applause", "Heart", "Laughter", "Surprise", "Thumbs up", "Thumbs down"]) {
    await act(async () => byRole("button", name).click());
  }
  expect(call.snapshot().reactions.map(({ reaction }) => reaction)).toEqual([
    "clap",
    "heart",
    "laugh",
    "surprise",
    "thumbUp",
    "thumbDown",
  ]);
});

test("while nothing is sent, no reaction can be chosen", async () => {
  const call = callOf({ state: "suspendedSilence" });
  await drawControls(call, true);
  expect(document.body.textContent).toContain("Reactions are not sent right now.");
  expect(byRole("button", "Heart").hasAttribute("disabled")).toBe(true);
});

test("a hand goes up and down, and shows its place", async () => {
  const call = callOf({ hands: 2 });
  await drawControls(call, false);
  const toggle = byRole("button", "Raise your hand");
  expect(toggle.getAttribute("aria-pressed")).toBe("false");
  await act(async () => toggle.click());
  expect(call.snapshot().hands).toHaveLength(3);
  expect(toggle.getAttribute("aria-pressed")).toBe("true");
  expect(toggle.querySelector("[data-text]")?.getAttribute("data-text")).toBe("3");
  await act(async () => toggle.click());
  expect(call.snapshot().hands).toHaveLength(2);
});

test("on a phone the hand is among the reactions", async () => {
  const call = callOf();
  await drawControls(call, true, true);
  await act(async () => byRole("button", "Raise your hand").click());
  expect(call.snapshot().hands).toEqual([call.snapshot().self.id]);
});

test("a tile shows the hand with its place, and the last reaction while it lasts", async () => {
  const call = callOf({ hands: 1 });
  const person = idOf(call, 1);
  await render(<TileSigns call={call} person={person} />);
  expect(document.querySelector('[data-testid="hand"]')).toBeNull();
  await act(async () => {
    call.raiseAs(person, true);
    call.reactAs(person, "林佳穎", "heart");
    call.reactAs(person, "林佳穎", "laugh");
    call.reactAs(idOf(call, 0), "Amara Okafor", "clap");
  });
  byRole("img", "Hand raised, number 2");
  const shown = (): (string | null)[] =>
    [...document.querySelectorAll("[data-reaction]")].map((icon) =>
      icon.getAttribute("data-reaction"),
    );
  expect(shown()).toEqual(["laugh"]);
  await act(async () => call.raiseAs(idOf(call, 0), false));
  byRole("img", "Hand raised, number 1");
  await act(async () => vi.advanceTimersByTime(6000));
  expect(shown()).toEqual([]);
});

test("one’s own tile shows one’s own hand", async () => {
  const call = callOf();
  await render(<TileSigns call={call} person="self" />);
  await act(async () => call.raiseHand(true));
  byRole("img", "Hand raised, number 1");
});

test("reactions pass in the corner with the name, at most four at a time", async () => {
  const call = callOf();
  await render(<ReactionStack call={call} />);
  await act(async () => {
    for (let at = 0; at < 3; at += 1) call.reactAs(idOf(call, 0), "Amara Okafor", "clap");
    call.reactAs(idOf(call, 1), "\u202EEve", "heart");
    call.react("thumbUp");
  });
  expect(stack()).toEqual([
    "+1",
    "Amara Okafor",
    "Amara Okafor",
    expect.stringContaining("Eve"),
    "You",
  ]);
  await act(async () => vi.advanceTimersByTime(6000));
  expect(stack()).toEqual([]);
});

test("reactions are announced with the name; many are counted; own ones are not", async () => {
  const call = callOf();
  await render(<ReactionStack call={call} />);
  await act(async () => {
    call.react("heart");
    call.reactAs(idOf(call, 0), "Amara Okafor", "clap");
  });
  expect(said()).toEqual([]);
  await act(async () => vi.advanceTimersByTime(2000));
  expect(said()).toEqual(["Amara Okafor reacts: Applause"]);
  await act(async () => vi.advanceTimersByTime(5000));
  await act(async () => {
    for (let at = 0; at < 20; at += 1) call.reactAs(idOf(call, 0), "Amara Okafor", "clap");
  });
  await act(async () => vi.advanceTimersByTime(2000));
  expect(said()).toEqual(["20 reactions"]);
});

test("a hand that goes up is shown and announced, one that was up before is not", async () => {
  const call = callOf({ hands: 1 });
  await render(<ReactionStack call={call} />);
  await act(async () => call.raiseAs(idOf(call, 2), true));
  expect(stack()).toEqual(["Jonas Weber raised a hand"]);
  await act(async () => vi.advanceTimersByTime(2000));
  expect(said()).toEqual(["Jonas Weber raised a hand"]);
  await act(async () => vi.advanceTimersByTime(5000));
  expect(stack()).toEqual([]);
  // Lowered and raised again, it is said again; one's own never is.
  await act(async () => call.raiseAs(idOf(call, 2), false));
  await act(async () => call.raiseAs(idOf(call, 2), true));
  await act(async () => call.raiseHand(true));
  expect(stack()).toEqual(["Jonas Weber raised a hand"]);
});
