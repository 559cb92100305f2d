import { act } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { DemoCall } from "../../demo/DemoCall";
import { byRole, render } from "../../testing/render";
import { SCENARIO } from "../../testing/scenario";
import { ChatControl } from "./ChatControl";

// Pictures are painted on a canvas, which this DOM does not have.
vi.mock("../../demo/scene", () => ({ paintPerson: () => undefined, paintScreen: () => undefined }));

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

async function draw(isOpen: boolean): Promise<DemoCall> {
  const call = new DemoCall(SCENARIO);
  await render(<ChatControl call={call} isOpen={isOpen} onOpen={() => undefined} />);
  return call;
}

/** Lets somebody write, and time pass until it is announced. */
async function write(call: DemoCall, ...texts: readonly string[]): Promise<void> {
  await act(async () => {
    for (const text of texts) call.write(call.snapshot().others[0]?.id ?? "", text);
  });
  await act(async () => vi.advanceTimersByTime(2000));
}

const said = (): string[] =>
  [...document.querySelectorAll('[data-testid="announcer"] p')].map(
    (line) => line.textContent ?? "",
  );

test("what is unread is counted on the button and announced", async () => {
  const call = await draw(false);
  byRole("button", "Chat");
  await write(call, "Hello");
  byRole("button", "Chat, 1 unread message");
  expect(said()).toEqual(["New message from Amara Okafor"]);
  await write(call, "And", "again");
  byRole("button", "Chat, 3 unread messages");
});

test("own messages are neither unread nor announced", async () => {
  const call = await draw(false);
  await act(async () => call.sendChat("Mine"));
  await act(async () => vi.advanceTimersByTime(2000));
  byRole("button", "Chat");
  expect(said()).toEqual([]);
});

test("while the chat is open nothing is unread, and messages are read", async () => {
  const call = await draw(true);
  await write(call, "Hello\n\u202Eall");
  byRole("button", "Chat");
  expect(said()).toEqual(["Amara Okafor writes: Hello \uFFFDall"]);
});

test("a flood is counted, not read", async () => {
  const call = await draw(true);
  await write(call, ...Array.from({ length: 50 }, (_, at) => `Spam ${at}`));
  expect(said()).toEqual(["50 new messages"]);
});
