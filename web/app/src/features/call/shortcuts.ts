/** What a key does in a call. */
export type ShortcutAction =
  | "microphone"
  | "camera"
  | "share"
  | "people"
  | "chat"
  | "hand"
  | "reactions"
  | "layout"
  | "nextPage"
  | "previousPage"
  | "help"
  | "talk";

const KEYS: Readonly<Record<string, ShortcutAction>> = {
  m: "microphone",
  v: "camera",
  s: "share",
  p: "people",
  c: "chat",
  h: "hand",
  r: "reactions",
  l: "layout",
  "?": "help",
  PageDown: "nextPage",
  ArrowRight: "nextPage",
  PageUp: "previousPage",
  ArrowLeft: "previousPage",
  " ": "talk",
};

/** Where keys belong to the element: text, lists, menus, dialogs. */
const OWN_KEYS =
  'input, textarea, select, [contenteditable="true"], [role="dialog"], [role="menu"], [role="listbox"], [role="radiogroup"], [role="textbox"]';

/** Where the space bar presses something. */
const PRESSABLE = "button, a, summary, [role='button']";

/** What has pages of its own to turn. */
const SCROLLED = "[role='log']";

/** What a key press asks for; nothing where the key belongs to what has the focus. */
export function shortcutOf(
  event: Pick<
    KeyboardEvent,
    "key" | "target" | "altKey" | "ctrlKey" | "metaKey" | "defaultPrevented" | "isComposing"
  >,
): ShortcutAction | undefined {
  if (event.defaultPrevented || event.isComposing) return undefined;
  if (event.altKey || event.ctrlKey || event.metaKey) return undefined;
  const target = event.target instanceof Element ? event.target : undefined;
  if (target?.closest(OWN_KEYS)) return undefined;
  const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (action === "talk" && target?.closest(PRESSABLE)) return undefined;
  if (event.key.startsWith("Page") && target?.closest(SCROLLED)) return undefined;
  return action;
}
