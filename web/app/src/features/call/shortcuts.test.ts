import { expect, test } from "vitest";
import { shortcutOf } from "./shortcuts";

/** What a key asks for while the first element of `html` has the focus. */
function press(key: string, html: string, init: KeyboardEventInit = {}): string | undefined {
  document.body.innerHTML = html;
  const target = document.querySelector("[data-here]") ?? document.body;
  let action: string | undefined;
  document.body.addEventListener("keydown", (event) => (action = shortcutOf(event)), {
    once: true,
  });
  target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, ...init }));
  return action;
}

test.each([
  ["m", "microphone"],
  ["M", "microphone"],
  ["v", "camera"],
  ["s", "share"],
  ["p", "people"],
  ["c", "chat"],
  ["h", "hand"],
  ["r", "reactions"],
  ["l", "layout"],
  ["?", "help"],
  ["PageDown", "nextPage"],
  ["ArrowLeft", "previousPage"],
  [" ", "talk"],
  ["x", undefined],
])("the key %j asks for %s", (key, action) => {
  expect(press(key, "<main data-here></main>")).toBe(action);
});

test.each([
  ["a text field", "<input data-here>"],
  ["a text area", "<textarea data-here></textarea>"],
  ["editable text", '<div contenteditable="true"><b data-here></b></div>'],
  ["a menu", '<div role="menu"><div role="menuitem" data-here></div></div>'],
  ["a list of choices", '<div role="listbox"><div role="option" data-here></div></div>'],
  ["a dialog", '<div role="dialog"><button data-here></button></div>'],
])("in %s the keys are its own", (_name, html) => {
  for (const key of ["m", "p", "?", "ArrowLeft", " "]) expect(press(key, html)).toBeUndefined();
});

test("the space bar presses the button that has the focus, and letters still work there", () => {
  expect(press(" ", "<button data-here></button>")).toBeUndefined();
  expect(press("m", "<button data-here></button>")).toBe("microphone");
});

test("among the messages the page keys turn those, and letters still work there", () => {
  expect(press("PageUp", '<div role="log" tabindex="0" data-here></div>')).toBeUndefined();
  expect(press("m", '<div role="log" tabindex="0" data-here></div>')).toBe("microphone");
});

test("keys of the browser stay the browser's", () => {
  for (const init of [{ ctrlKey: true }, { metaKey: true }, { altKey: true }]) {
    expect(press("s", "<main data-here></main>", init)).toBeUndefined();
  }
});
