/**
 * Where tiles go, and what the server is asked for because of it.
 *
 * Pure: sizes in, boxes out. Lengths are CSS pixels, except in {@link TileLayout.wants}.
 * @module
 */

import type { PublicationId, TilePriority, Want } from "@conclave/wire";

import type { CallSnapshot, PersonId } from "./snapshot";

/** Somebody's camera (or the place where it would be), or a shared screen. */
export interface Tile {
  /** Stays the same for as long as there is the tile. */
  readonly key: string;
  readonly participant: PersonId | "self";
  readonly source: "camera" | "screen";
  /** What to ask the server for; nothing for oneself, or while the camera is off. */
  readonly publication: PublicationId | undefined;
}

export type LayoutKind =
  /** All alike. */
  | "grid"
  /** A shared screen or who speaks, large; the others small. */
  | "speaker"
  /** The one that the viewer chose, large; the others small. */
  | "pinned";

export type DeviceClass = "phone" | "desktop";

/** The space there is. */
export interface Stage {
  readonly width: number;
  readonly height: number;
  readonly gap: number;
  readonly device: DeviceClass;
}

export interface LayoutRequest extends Stage {
  readonly layout: LayoutKind;
  readonly devicePixelRatio: number;
  /** In the order in which they are shown: see {@link orderTiles}. */
  readonly tiles: readonly Tile[];
  /** Counted from 0; beyond the last, the last is shown. */
  readonly page: number;
  readonly activeSpeaker: PersonId | undefined;
  /** `key` of the pinned tile. */
  readonly pinned: string | undefined;
}

export interface TileBox {
  readonly key: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly priority: TilePriority;
}

export interface TileLayout {
  readonly page: number;
  readonly pages: number;
  /** Boxes of this page, in order; the featured one first. */
  readonly boxes: readonly TileBox[];
  /** What {@link CallCommands.setView} is given. */
  readonly wants: readonly Want[];
}

const WIDE = 16 / 9;

/** On a phone tiles may stand upright, so that two people fill an upright screen. */
const UPRIGHT = 3 / 4;

interface DeviceRules {
  /** Narrower, a face is hard to make out. */
  readonly minTileWidth: number;
  readonly maxTilesPerPage: number;
  readonly minAspect: number;
}

const RULES: Readonly<Record<DeviceClass, DeviceRules>> = {
  // Decoding many pictures drains a battery, and fingers need room.
  phone: { minTileWidth: 160, maxTilesPerPage: 6, minAspect: UPRIGHT },
  desktop: { minTileWidth: 180, maxTilesPerPage: 25, minAspect: WIDE },
};

/** Width of a tile in the strip beside or below the featured one, as a share of the stage's. */
const BESIDE_SHARE = 0.18;
const BELOW_SHARE = 0.3;
/** Hardly a screen is taller than this, as width to height; one that is keeps dark edges. */
const TALLEST_SCREEN = 4 / 3;
const STRIP_MIN = 120;
const STRIP_MAX = 260;

/** The largest picture that a camera sends or that is worth forwarding. */
const MAX_WANT_WIDTH = 1920;
const MAX_WANT_HEIGHT = 1080;

/** All tiles of a call: shared screens, oneself (if wanted), then the others as they joined. */
export function tilesOf(
  { others, self }: Pick<CallSnapshot, "others" | "self">,
  show: { readonly self: boolean },
): readonly Tile[] {
  const screens = others.flatMap(({ id, screen }): Tile[] =>
    screen === undefined
      ? []
      : [
          {
            key: `screen:${id}`,
            participant: id,
            source: "screen",
            publication: screen.publication,
          },
        ],
  );
  const cameras = others.map(
    ({ id, camera }): Tile => ({
      key: `camera:${id}`,
      participant: id,
      source: "camera",
      publication: camera?.publication,
    }),
  );
  const own: Tile = {
    key: "camera:self",
    participant: "self",
    source: "camera",
    publication: undefined,
  };
  // A call of one shows that one.
  return [
    ...screens,
    ...(show.self || (others.length === 0 && self !== undefined) ? [own] : []),
    ...cameras,
  ];
}

/** The order of tiles over time. */
export interface TileOrder {
  readonly keys: readonly string[];
  /** Who spoke, the latest first. */
  readonly spoke: readonly PersonId[];
}

export const NO_ORDER: TileOrder = { keys: [], spoke: [] };

/**
 * The next order: those who stay keep their places, new ones come last (screens first), and who
 * speaks beyond the first page changes places with the one of the first page who has been silent
 * the longest. Nobody else moves: a face is found where it was.
 */
export function orderTiles(
  order: TileOrder,
  tiles: readonly Tile[],
  activeSpeaker: PersonId | undefined,
  pageSize: number,
): TileOrder {
  const byKey = new Map(tiles.map((tile) => [tile.key, tile]));
  const known = new Set(order.keys);
  const fresh = tiles.filter(({ key }) => !known.has(key));
  const keys = [
    ...fresh.filter(({ source }) => source === "screen").map(({ key }) => key),
    ...order.keys.filter((key) => byKey.has(key)),
    ...fresh.filter(({ source }) => source === "camera").map(({ key }) => key),
  ];
  const present = new Set(tiles.map(({ participant }) => participant));
  const earlier = order.spoke.filter((id) => id !== activeSpeaker && present.has(id));
  const spoke = activeSpeaker === undefined ? earlier : [activeSpeaker, ...earlier];

  const from = keys.indexOf(`camera:${activeSpeaker}`);
  if (from < pageSize) return { keys, spoke };
  const to = quietestPlace(keys.slice(0, pageSize), byKey, spoke);
  const [a, b] = [keys[from], to === undefined ? undefined : keys[to]];
  if (to === undefined || a === undefined || b === undefined) return { keys, spoke };
  return { keys: keys.with(to, a).with(from, b), spoke };
}

/** `tiles` in the given order. */
export function inOrder(tiles: readonly Tile[], { keys }: TileOrder): readonly Tile[] {
  const place = new Map(keys.map((key, i) => [key, i]));
  const placeOf = ({ key }: Tile): number => place.get(key) ?? Number.POSITIVE_INFINITY;
  return tiles.toSorted((a, b) => placeOf(a) - placeOf(b));
}

function quietestPlace(
  page: readonly string[],
  byKey: ReadonlyMap<string, Tile>,
  spoke: readonly PersonId[],
): number | undefined {
  let place: number | undefined;
  let silence = -1;
  page.forEach((key, i) => {
    const tile = byKey.get(key);
    if (tile === undefined || tile.participant === "self" || tile.source === "screen") return;
    const rank = spoke.indexOf(tile.participant);
    const rankOrNever = rank < 0 ? Number.POSITIVE_INFINITY : rank;
    // Of those who never spoke, the last: the first places are the calmest.
    if (rankOrNever >= silence) {
      place = i;
      silence = rankOrNever;
    }
  });
  return place;
}

/** How many tiles of a grid one page takes. */
export function gridPageSize(stage: Stage): number {
  const { maxTilesPerPage, minTileWidth } = RULES[stage.device];
  for (let count = maxTilesPerPage; count > 1; count -= 1) {
    if (bestGrid(stage, count).tileWidth >= minTileWidth) return count;
  }
  return 1;
}

/** Places the tiles. */
export function arrange(request: LayoutRequest): TileLayout {
  if (request.tiles.length === 0 || request.width <= 0 || request.height <= 0) {
    return { page: 0, pages: 1, boxes: [], wants: [] };
  }
  const featured = request.layout === "grid" ? undefined : featuredTile(request);
  const { page, pages, boxes } =
    featured === undefined ? arrangeGrid(request) : arrangeAround(request, featured);
  return { page, pages, boxes, wants: wantsOf(request, boxes) };
}

function featuredTile({ tiles, layout, pinned, activeSpeaker }: LayoutRequest): Tile | undefined {
  const pin = layout === "pinned" ? tiles.find(({ key }) => key === pinned) : undefined;
  return (
    pin ??
    tiles.find(({ source }) => source === "screen") ??
    tiles.find(({ participant }) => participant === activeSpeaker) ??
    tiles.find(({ participant }) => participant !== "self") ??
    tiles[0]
  );
}

type Placed = Pick<TileLayout, "page" | "pages" | "boxes">;

function arrangeGrid(request: LayoutRequest): Placed {
  const { page, pages, tiles } = pageOf(request.tiles, request.page, gridPageSize(request));
  const grid = bestGrid(request, tiles.length);
  const { tileWidth, tileHeight, columns } = grid;
  const rows = Math.ceil(tiles.length / columns);
  const top = (request.height - extent(rows, tileHeight, request.gap)) / 2;
  const boxes = tiles.map(({ key }, i): TileBox => {
    const row = Math.floor(i / columns);
    const inRow = row === rows - 1 ? tiles.length - row * columns : columns;
    const left = (request.width - extent(inRow, tileWidth, request.gap)) / 2;
    return {
      key,
      x: Math.floor(left + (i % columns) * (tileWidth + request.gap)),
      y: Math.floor(top + row * (tileHeight + request.gap)),
      width: tileWidth,
      height: tileHeight,
      priority: "tile",
    };
  });
  return { page, pages, boxes };
}

function arrangeAround(request: LayoutRequest, featured: Tile): Placed {
  const { width, height, gap } = request;
  const others = request.tiles.filter(({ key }) => key !== featured.key);
  if (others.length === 0) {
    const box = place(request, featured, { x: 0, y: 0, width, height });
    return { page: 0, pages: 1, boxes: [box] };
  }
  // Who shares a screen is seen beside it.
  const strip = others.toSorted(
    (a, b) =>
      Number(b.participant === featured.participant) -
      Number(a.participant === featured.participant),
  );
  const isBeside = width / height > 4 / 3;
  const screenHeight = Math.floor(width / TALLEST_SCREEN);
  if (!isBeside && featured.source === "screen" && height - screenHeight >= screenHeight / 2) {
    return arrangeBelow(request, featured, strip, screenHeight);
  }
  const wished = width * (isBeside ? BESIDE_SHARE : BELOW_SHARE);
  const thumbWidth = Math.floor(Math.min(STRIP_MAX, width, Math.max(STRIP_MIN, wished)));
  const thumbHeight = Math.floor(thumbWidth / WIDE);
  const room = isBeside ? height : width;
  const length = isBeside ? thumbHeight : thumbWidth;
  const perPage = Math.max(1, Math.floor((room + gap) / (length + gap)));
  const { page, pages, tiles } = pageOf(strip, request.page, perPage);

  const stage = isBeside
    ? { x: 0, y: 0, width: width - thumbWidth - gap, height }
    : { x: 0, y: 0, width, height: height - thumbHeight - gap };
  const start = (room - extent(tiles.length, length, gap)) / 2;
  const thumbs = tiles.map(({ key }, i): TileBox => {
    const along = Math.floor(start + i * (length + gap));
    const [x, y] = isBeside ? [width - thumbWidth, along] : [along, height - thumbHeight];
    return { key, x, y, width: thumbWidth, height: thumbHeight, priority: "thumbnail" };
  });
  return { page, pages, boxes: [place(request, featured, stage), ...thumbs] };
}

/** On an upright stage: the screen across, as tall as it needs, and a grid of the others below. */
function arrangeBelow(
  request: LayoutRequest,
  screen: Tile,
  others: readonly Tile[],
  screenHeight: number,
): Placed {
  const { width, gap } = request;
  const top = screenHeight + gap;
  const grid = arrangeGrid({ ...request, tiles: others, height: request.height - top });
  const area = { x: 0, y: 0, width, height: screenHeight };
  return {
    ...grid,
    boxes: [place(request, screen, area), ...grid.boxes.map((box) => ({ ...box, y: box.y + top }))],
  };
}

interface Area {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A screen takes all there is, and is fitted in; a camera keeps its shape where there is room. */
function place({ device }: Stage, { key, source }: Tile, area: Area): TileBox {
  const { minAspect } = RULES[device];
  const [width, height] =
    source === "screen"
      ? [Math.floor(area.width), Math.floor(area.height)]
      : fit(area.width, area.height, minAspect);
  return {
    key,
    x: Math.floor(area.x + (area.width - width) / 2),
    y: Math.floor(area.y + (area.height - height) / 2),
    width,
    height,
    priority: "featured",
  };
}

function pageOf(
  tiles: readonly Tile[],
  wanted: number,
  size: number,
): { readonly page: number; readonly pages: number; readonly tiles: readonly Tile[] } {
  const pages = Math.max(1, Math.ceil(tiles.length / size));
  const page = Math.min(Math.max(0, wanted), pages - 1);
  return { page, pages, tiles: tiles.slice(page * size, (page + 1) * size) };
}

interface Grid {
  readonly columns: number;
  readonly tileWidth: number;
  readonly tileHeight: number;
}

/** The number of columns that makes `count` tiles largest. */
function bestGrid({ width, height, gap, device }: Stage, count: number): Grid {
  const { minAspect } = RULES[device];
  let best: Grid = { columns: 1, tileWidth: 0, tileHeight: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const cellWidth = (width - gap * (columns - 1)) / columns;
    const cellHeight = (height - gap * (rows - 1)) / rows;
    const [tileWidth, tileHeight] = fit(cellWidth, cellHeight, minAspect);
    if (tileWidth * tileHeight > best.tileWidth * best.tileHeight) {
      best = { columns, tileWidth, tileHeight };
    }
  }
  return best;
}

/** The largest box in a cell whose shape is between `minAspect` and 16:9. */
function fit(width: number, height: number, minAspect: number): readonly [number, number] {
  const w = Math.min(width, height * WIDE);
  const h = Math.min(height, w / minAspect);
  return [Math.max(0, Math.floor(w)), Math.max(0, Math.floor(h))];
}

function extent(count: number, length: number, gap: number): number {
  return count * length + (count - 1) * gap;
}

function wantsOf(
  { tiles, devicePixelRatio }: LayoutRequest,
  boxes: readonly TileBox[],
): readonly Want[] {
  const byKey = new Map(tiles.map((tile) => [tile.key, tile]));
  return boxes.flatMap(({ key, width, height, priority }): Want[] => {
    const publication = byKey.get(key)?.publication;
    if (publication === undefined || width < 1 || height < 1) return [];
    return [
      {
        publication,
        width: Math.min(MAX_WANT_WIDTH, Math.round(width * devicePixelRatio)),
        height: Math.min(MAX_WANT_HEIGHT, Math.round(height * devicePixelRatio)),
        priority,
      },
    ];
  });
}
