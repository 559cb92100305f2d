import { act } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { DemoCall, type Scenario } from "../../demo/DemoCall";
import { byRole, render } from "../../testing/render";
import { SCENARIO } from "../../testing/scenario";
import { ChatPanel } from "./ChatPanel";

// Pictures are painted on a canvas, which this DOM does not have.
vi.mock("../../demo/scene", () => ({ paintPerson: () => undefined, paintScreen: () => undefined }));

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

async function openChat(
  scenario: Partial<Scenario> = {},
  draft = { current: "" },
): Promise<DemoCall> {
  const call = new DemoCall({ ...SCENARIO, ...scenario });
  await render(<ChatPanel call={call} draft={draft} onClose={() => undefined} />);
  return call;
}

const input = (): HTMLTextAreaElement => {
  const field = document.querySelector("textarea");
  if (field === null) throw new Error("there is no field");
  return field;
};
const messages = (): (string | null)[] =>
  [...document.querySelectorAll('[data-testid="chat-message"]')].map(
    ({ textContent }) => textContent,
  );
const groups = (): (string | null)[] =>
  [...document.querySelectorAll('[data-testid="chat-group"] > div > div:first-child')].map(
    ({ textContent }) => textContent,
  );
const hint = (): string | null =>
  document.getElementById(input().getAttribute("aria-describedby") ?? "")?.textContent ?? null;

async function write(text: string): Promise<void> {
  const setter = Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value")?.set;
  await act(async () => {
    setter?.call(input(), text);
    input().dispatchEvent(new Event("input", { bubbles: true }));
  });
}

/** Presses a key in the field; true if the field was kept from acting on it. */
async function press(key: string, init: KeyboardEventInit = {}): Promise<boolean> {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...init });
  await act(async () => input().dispatchEvent(event));
  return event.defaultPrevented;
}

test("who comes late is told that there may have been more", async () => {
  await openChat();
  expect(document.body.textContent).toContain("Messages from before you came are not shown.");
});

test("Enter sends what is in the field, once", async () => {
  const call = await openChat();
  await write("  \n  Hello,\n  all  \n");
  expect(await press("Enter")).toBe(true);
  await press("Enter");
  expect(call.snapshot().chat.map(({ text }) => text)).toEqual(["  Hello,\n  all"]);
  expect(messages()).toEqual(["  Hello,\n  all"]);
  expect(input().value).toBe("");
});

test.each([
  ["Shift and Enter", { shiftKey: true }],
  ["Enter in an input method", { isComposing: true }],
  ["Enter in Safari’s input method", { keyCode: 229 }],
])("%s sends nothing", async (_name, init) => {
  const call = await openChat();
  await write("你好");
  expect(await press("Enter", init)).toBe(false);
  expect(call.snapshot().chat).toEqual([]);
  expect(input().value).toBe("你好");
});

test("nothing but spaces is not sent", async () => {
  const call = await openChat();
  await write(" \n\t ");
  await press("Enter");
  expect(call.snapshot().chat).toEqual([]);
});

test("a draft outlives the panel", async () => {
  const draft = { current: "" };
  await openChat({}, draft);
  await write("Not yet");
  await openChat({}, draft);
  expect(input().value).toBe("Not yet");
});

test("4096 bytes may be sent, and not one more", async () => {
  const call = await openChat();
  await write("é".repeat(2048));
  expect(hint()).toBe("Room for 0 more bytes");
  await write(`${"é".repeat(2048)}a`);
  expect(hint()).toBe("Too long by 1 byte. Shorten it, or send it in parts.");
  expect(input().getAttribute("aria-invalid")).toBe("true");
  expect(byRole("button", "Send").hasAttribute("disabled")).toBe(true);
  await press("Enter");
  expect(call.snapshot().chat).toEqual([]);
  await write("é".repeat(2048));
  await press("Enter");
  expect(call.snapshot().chat).toHaveLength(1);
});

test.each([
  [{ chatForbidden: true }, "A host has forbidden you to write in the chat."],
  [{ state: "forked" }, "Nothing is sent until the encryption is in order again."],
  [{ state: "suspendedSilence" }, "Nothing is sent until the encryption is in order again."],
] as const)("with %j nothing can be written, and it is said why", async (scenario, why) => {
  const call = await openChat(scenario, { current: "What I meant to say" });
  expect(hint()).toBe(why);
  expect(input().readOnly).toBe(true);
  await press("Enter");
  expect(call.snapshot().chat).toEqual([]);
  expect(input().value).toBe("What I meant to say");
});

test.each([{ state: "catchingUp" }, { phase: "reconnecting" }] as const)(
  "with %j one may go on writing, but not send",
  async (scenario) => {
    const call = await openChat(scenario);
    await write("Are you there?");
    expect(hint()).toBe("Your message can be sent when the connection is back.");
    await press("Enter");
    expect(call.snapshot().chat).toEqual([]);
    expect(input().value).toBe("Are you there?");
  },
);

test("Escape in an input method does not reach the panel", async () => {
  const onClose = vi.fn();
  const call = new DemoCall(SCENARIO);
  await render(<ChatPanel call={call} draft={{ current: "" }} onClose={onClose} />);
  await press("Escape", { isComposing: true });
  expect(onClose).not.toHaveBeenCalled();
  await press("Escape");
  expect(onClose).toHaveBeenCalledOnce();
});

test("what a host forbids is forbidden at once, and allowed at once", async () => {
  const call = await openChat();
  await act(async () => call.forbidSelf("chat", true));
  expect(input().readOnly).toBe(true);
  await act(async () => call.forbidSelf("chat", false));
  expect(input().readOnly).toBe(false);
});

test("messages in a row stand under one name, with role and time", async () => {
  const call = await openChat();
  const [first, second] = call.snapshot().others;
  await act(async () => {
    call.write(first?.id ?? "", "One");
    call.write(first?.id ?? "", "Two");
    call.write(second?.id ?? "", "Three");
    call.sendChat("Four");
  });
  expect(messages()).toEqual(["One", "Two", "Three", "Four"]);
  expect(groups()).toHaveLength(3);
  expect(groups()[0]).toMatch(/^Amara Okafor.*\d\d:\d\d$/);
  expect(groups()[2]).toMatch(/^YouHost\d\d:\d\d$/);
});

test("a message is text: no markup, no picture, no link but one of https", async () => {
  const call = await openChat();
  const text =
    '<img src=x onerror=alert(1)> <a href="javascript:alert(1)">x</a> \\\\host\\share ' +
    "javascript:alert(1) https://example.org/a \u202Egpj.exe";
  await act(async () => call.write(call.snapshot().others[0]?.id ?? "", text));
  const message = document.querySelector('[data-testid="chat-message"]');
  expect(message?.textContent).toBe(text.replace("\u202E", "\uFFFD"));
  expect(message?.querySelectorAll("img, script, iframe")).toHaveLength(0);
  const links = [...(message?.querySelectorAll("a") ?? [])];
  expect(links.map((link) => link.getAttribute("href"))).toEqual(["https://example.org/a"]);
  expect(links[0]?.getAttribute("rel")).toBe("noopener noreferrer");
  expect(links[0]?.getAttribute("target")).toBe("_blank");
  expect(message?.querySelector("p")?.dir).toBe("auto");
});

test("a long message shows its beginning, and the rest when asked for", async () => {
  const call = await openChat();
  await act(async () => call.write(call.snapshot().others[0]?.id ?? "", "line\n".repeat(100)));
  const more = byRole("button", "Show the whole message");
  expect(more.getAttribute("aria-expanded")).toBe("false");
  await act(async () => more.click());
  expect(byRole("button", "Show less").getAttribute("aria-expanded")).toBe("true");
});

/** Gives the list of messages a height that this DOM does not know. */
function measure(log: HTMLElement): void {
  Object.defineProperties(log, {
    clientHeight: { value: 300 },
    scrollHeight: { get: () => 100 * messages().length },
  });
}

test("who reads further up stays there, and is offered what is new", async () => {
  const call = await openChat();
  const other = call.snapshot().others[0]?.id ?? "";
  const log = byRole("log", "Chat");
  measure(log);
  await act(async () => {
    for (let at = 0; at < 9; at += 1) call.write(other, `Message ${at}`);
  });
  expect(log.scrollTop).toBe(900);
  await act(async () => {
    log.scrollTop = 100;
    log.dispatchEvent(new Event("scroll"));
  });
  await act(async () => call.write(other, "New"));
  expect(log.scrollTop).toBe(100);
  await act(async () => byRole("button", "1 new message").click());
  expect(log.scrollTop).toBe(1000);
  expect(document.body.textContent).not.toContain("1 new message");
});

test("who writes sees the own message", async () => {
  const call = await openChat({ chat: true });
  const log = byRole("log", "Chat");
  measure(log);
  await act(async () => {
    log.scrollTop = 0;
    log.dispatchEvent(new Event("scroll"));
    call.sendChat("Mine");
  });
  expect(log.scrollTop).toBe(log.scrollHeight);
});

test("of thousands of messages the last ones are drawn, and earlier ones on demand", async () => {
  const call = await openChat();
  const other = call.snapshot().others[0]?.id ?? "";
  await act(async () => {
    for (let at = 0; at < 310; at += 1) call.write(other, `Message ${at}`);
  });
  expect(messages()).toHaveLength(300);
  await act(async () => byRole("button", "Show earlier messages").click());
  expect(messages()).toHaveLength(310);
});
