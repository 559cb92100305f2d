import type { CallSnapshot, LayoutKind, PersonId, Tile } from "@conclave/client";

/** How a person wants the stage. */
export type LayoutMode =
  /** A grid, but a shared screen is large. */
  | "auto"
  /** All the same size, shared screens too. */
  | "grid"
  /** Whoever speaks is large; a shared screen before them. */
  | "speaker";

/** The modes in the order in which the key goes through them. */
export const LAYOUT_MODES: readonly LayoutMode[] = ["auto", "grid", "speaker"];

export interface LayoutWish {
  readonly mode: LayoutMode;
  /** Kept large whatever the mode, while that person is there. */
  readonly pin: PersonId | undefined;
}

/** What the stage is asked for because of a wish. */
export interface LayoutChoice {
  readonly layout: LayoutKind;
  /** `key` of the pinned tile. */
  readonly pinned: string | undefined;
}

/** Turns a wish into a layout of the tiles that are there. */
export function chooseLayout({ mode, pin }: LayoutWish, tiles: readonly Tile[]): LayoutChoice {
  const pinned = pinnedTile(pin, tiles);
  if (pinned !== undefined) return { layout: "pinned", pinned: pinned.key };
  const isShared = tiles.some(({ source }) => source === "screen");
  const isLarge = mode === "speaker" || (mode === "auto" && isShared);
  return { layout: isLarge ? "speaker" : "grid", pinned: undefined };
}

/** A pinned person's screen comes before their face. */
function pinnedTile(pin: PersonId | undefined, tiles: readonly Tile[]): Tile | undefined {
  if (pin === undefined) return undefined;
  const theirs = tiles.filter(({ participant }) => participant === pin);
  return theirs.find(({ source }) => source === "screen") ?? theirs[0];
}

/** With at most one other person and no screen, one's own picture floats in a corner. */
export function selfFloats({ others }: Pick<CallSnapshot, "others">): boolean {
  return others.length <= 1 && others.every(({ screen }) => screen === undefined);
}

/** Whether two lists show the same: then the stage need not be drawn again. */
export function sameTiles(a: readonly Tile[], b: readonly Tile[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ key, publication }, at) => key === b[at]?.key && publication === b[at]?.publication)
  );
}
