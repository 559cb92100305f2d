import { describe, expect, test } from "vitest";

import {
  arrange,
  gridPageSize,
  inOrder,
  type LayoutRequest,
  NO_ORDER,
  orderTiles,
  type Tile,
  type TileBox,
} from "./tileLayout";

function camera(id: number): Tile {
  return { key: `camera:${id}`, participant: String(id), source: "camera", publication: id * 10 };
}

function screen(id: number): Tile {
  return {
    key: `screen:${id}`,
    participant: String(id),
    source: "screen",
    publication: id * 10 + 1,
  };
}

const own: Tile = {
  key: "camera:self",
  participant: "self",
  source: "camera",
  publication: undefined,
};

function cameras(count: number): Tile[] {
  return Array.from({ length: count }, (_, i) => camera(i + 1));
}

const DESKTOP = { width: 1280, height: 720, gap: 8, device: "desktop" } as const;
const PHONE = { width: 390, height: 640, gap: 8, device: "phone" } as const;

function request(part: Partial<LayoutRequest>): LayoutRequest {
  return {
    ...DESKTOP,
    layout: "grid",
    devicePixelRatio: 1,
    tiles: [],
    page: 0,
    activeSpeaker: undefined,
    pinned: undefined,
    ...part,
  };
}

function overlap(a: TileBox, b: TileBox): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

const STAGES = [
  DESKTOP,
  PHONE,
  { ...PHONE, width: 320, height: 480 },
  { ...PHONE, width: 844, height: 320 },
  { ...DESKTOP, width: 1920, height: 1000 },
  { ...DESKTOP, width: 700, height: 900 },
  { ...DESKTOP, width: 200, height: 100 },
] as const;

describe.each(STAGES)("on $device $width x $height", (stage) => {
  const layouts = (["grid", "speaker", "pinned"] as const).flatMap((layout) =>
    [1, 2, 3, 5, 7, 26, 60].map((count) => ({ layout, count })),
  );

  test.each(layouts)("$layout of $count fits, and shows everybody once", ({ layout, count }) => {
    const tiles = cameras(count);
    const first = arrange(request({ ...stage, layout, tiles, pinned: "camera:1" }));
    const seen = new Set<string>();
    for (let page = 0; page < first.pages; page += 1) {
      const { boxes } = arrange(request({ ...stage, layout, tiles, page, pinned: "camera:1" }));
      for (const box of boxes) {
        seen.add(box.key);
        expect(box.width).toBeGreaterThan(0);
        expect(box.height).toBeGreaterThan(0);
        expect(box.x).toBeGreaterThanOrEqual(0);
        expect(box.y).toBeGreaterThanOrEqual(0);
        expect(box.x + box.width).toBeLessThanOrEqual(stage.width);
        expect(box.y + box.height).toBeLessThanOrEqual(stage.height);
        expect(boxes.filter((other) => other !== box && overlap(other, box))).toEqual([]);
      }
    }
    expect(seen.size).toBe(count);
  });
});

describe("the grid", () => {
  test.each([
    [1, 1280],
    [2, 636],
    [4, 632],
    [5, 421],
    [9, 417],
    [16, 309],
    [25, 244],
  ])("makes %i tiles of 1280 x 720 %i wide", (count, width) => {
    const { boxes } = arrange(request({ tiles: cameras(count) }));
    expect(boxes).toHaveLength(count);
    expect(boxes[0]?.width).toBe(width);
    expect((boxes[0]?.width ?? 0) / (boxes[0]?.height ?? 1)).toBeCloseTo(16 / 9, 1);
  });

  test("has at most 25 tiles on a desktop page and 6 on a phone's", () => {
    expect(gridPageSize({ ...DESKTOP, width: 3840, height: 2160 })).toBe(25);
    expect(gridPageSize(PHONE)).toBe(6);
    expect(gridPageSize({ ...PHONE, width: 1000, height: 1000 })).toBe(6);
  });

  test("keeps a phone's tiles at least 160 pixels wide", () => {
    const narrow = { ...PHONE, width: 320, height: 400 };
    const { boxes } = arrange(request({ ...narrow, tiles: cameras(10) }));
    expect(Math.min(...boxes.map(({ width }) => width))).toBeGreaterThanOrEqual(160);
  });

  test("fills an upright phone with two people", () => {
    const { boxes } = arrange(request({ ...PHONE, tiles: cameras(2) }));
    const covered = boxes.reduce((sum, { width, height }) => sum + width * height, 0);
    expect(covered / (PHONE.width * PHONE.height)).toBeGreaterThan(0.9);
  });

  test("pages, and shows the last for a page that is gone", () => {
    const { page, pages, boxes } = arrange(request({ tiles: cameras(30), page: 9 }));
    expect([page, pages]).toEqual([1, 2]);
    expect(boxes.map(({ key }) => key)).toEqual(
      cameras(30)
        .slice(25)
        .map(({ key }) => key),
    );
  });

  test("centres a last row that is not full", () => {
    const { boxes } = arrange(request({ tiles: cameras(5) }));
    const [first, last] = [boxes[3], boxes[4]];
    if (first === undefined || last === undefined) throw new Error("five tiles are five boxes");
    expect(first.y).toBe(last.y);
    expect(Math.abs(first.x - (1280 - last.x - last.width))).toBeLessThanOrEqual(1);
  });
});

describe("around one", () => {
  test.each<[string, Partial<LayoutRequest>, string]>([
    ["the pinned one", { layout: "pinned", pinned: "camera:3" }, "camera:3"],
    [
      "the speaker, if the pinned one left",
      { layout: "pinned", pinned: "camera:9", activeSpeaker: "2" },
      "camera:2",
    ],
    ["who speaks", { layout: "speaker", activeSpeaker: "2" }, "camera:2"],
    ["somebody, if nobody spoke", { layout: "speaker" }, "camera:1"],
    [
      "a screen before who speaks",
      { layout: "speaker", activeSpeaker: "2", tiles: [...cameras(3), screen(3)] },
      "screen:3",
    ],
    [
      "the pinned one before a screen",
      { layout: "pinned", pinned: "camera:1", tiles: [...cameras(3), screen(3)] },
      "camera:1",
    ],
    ["oneself only if alone", { layout: "speaker", tiles: [own] }, "camera:self"],
  ])("features %s", (_name, part, key) => {
    const { boxes } = arrange(request({ tiles: [own, ...cameras(3)], ...part }));
    expect(boxes[0]).toMatchObject({ key, priority: "featured" });
  });

  test("shows a sharer right beside the screen", () => {
    const tiles = [...cameras(20), screen(17)];
    const { boxes } = arrange(request({ layout: "speaker", tiles }));
    expect(boxes[1]?.key).toBe("camera:17");
  });

  test("puts the strip beside on a wide stage, below on an upright one", () => {
    const wide = arrange(request({ layout: "speaker", tiles: cameras(3) })).boxes;
    const upright = arrange(request({ ...PHONE, layout: "speaker", tiles: cameras(3) })).boxes;
    expect(wide[1]?.x).toBe(wide[2]?.x);
    expect(upright[1]?.y).toBe(upright[2]?.y);
  });

  test("lays a screen across an upright stage and a grid of the others below", () => {
    const tiles = [...cameras(4), screen(3)];
    const { boxes } = arrange(request({ ...PHONE, layout: "speaker", tiles }));
    const [shared, ...others] = boxes;
    expect(shared).toMatchObject({ key: "screen:3", x: 0, y: 0, width: PHONE.width });
    expect(shared?.height).toBe(Math.floor(PHONE.width * 0.75));
    expect(others[0]?.key).toBe("camera:3");
    expect(new Set(others.map(({ y }) => y)).size).toBe(2);
    for (const { y, height } of others) {
      expect(y).toBeGreaterThan(shared?.height ?? 0);
      expect(y + height).toBeLessThanOrEqual(PHONE.height);
    }
  });

  test("gives the featured one most of the room", () => {
    const { boxes } = arrange(request({ layout: "speaker", tiles: cameras(8) }));
    const area = (box: TileBox | undefined): number => (box?.width ?? 0) * (box?.height ?? 0);
    expect(area(boxes[0])).toBeGreaterThan(0.6 * 1280 * 720);
  });
});

describe("what the server is asked for", () => {
  test("is what the page shows, in device pixels", () => {
    const { wants } = arrange(request({ tiles: [own, ...cameras(3)], devicePixelRatio: 1.5 }));
    expect(wants.map(({ publication }) => publication)).toEqual([10, 20, 30]);
    expect(wants[0]).toEqual({ publication: 10, width: 948, height: 533, priority: "tile" });
  });

  test("never is more than full HD", () => {
    const { wants } = arrange(
      request({ width: 3840, height: 2160, devicePixelRatio: 2, tiles: cameras(1) }),
    );
    expect(wants).toEqual([{ publication: 10, width: 1920, height: 1080, priority: "tile" }]);
  });

  test("says what matters most", () => {
    const { wants } = arrange(
      request({ layout: "speaker", activeSpeaker: "2", tiles: cameras(3) }),
    );
    expect(wants.map(({ publication, priority }) => [publication, priority])).toEqual([
      [20, "featured"],
      [10, "thumbnail"],
      [30, "thumbnail"],
    ]);
  });

  test("leaves out cameras that are off", () => {
    const off = { ...camera(2), publication: undefined };
    const { wants, boxes } = arrange(request({ tiles: [camera(1), off] }));
    expect(boxes).toHaveLength(2);
    expect(wants.map(({ publication }) => publication)).toEqual([10]);
  });

  test("is nothing where there is no room", () => {
    expect(arrange(request({ width: 0, tiles: cameras(3) })).wants).toEqual([]);
  });
});

describe("the order", () => {
  const keys = (tiles: readonly Tile[]): string[] => tiles.map(({ key }) => key);

  test("keeps the places of those who stay", () => {
    const before = orderTiles(NO_ORDER, cameras(5), undefined, 25);
    const after = orderTiles(before, [camera(5), camera(6), camera(1), camera(3)], undefined, 25);
    expect(after.keys).toEqual(["camera:1", "camera:3", "camera:5", "camera:6"]);
  });

  test("puts a new screen first and new people last", () => {
    const before = orderTiles(NO_ORDER, cameras(2), undefined, 25);
    const after = orderTiles(before, [...cameras(3), screen(2)], undefined, 25);
    expect(after.keys).toEqual(["screen:2", "camera:1", "camera:2", "camera:3"]);
  });

  test("leaves a speaker of the first page where it is", () => {
    const before = orderTiles(NO_ORDER, cameras(6), undefined, 4);
    expect(orderTiles(before, cameras(6), "3", 4).keys).toEqual(before.keys);
  });

  test("changes a speaker beyond it with the quietest, and moves nobody else", () => {
    const tiles = cameras(6);
    let order = orderTiles(NO_ORDER, tiles, undefined, 4);
    for (const speaker of ["4", "1", "3"]) order = orderTiles(order, tiles, speaker, 4);
    order = orderTiles(order, tiles, "6", 4);
    expect(order.keys).toEqual(keys([1, 6, 3, 4, 5, 2].map(camera)));
    order = orderTiles(order, tiles, "5", 4);
    expect(order.keys).toEqual(keys([1, 6, 3, 5, 4, 2].map(camera)));
  });

  test("never moves oneself or a screen off the first page", () => {
    const tiles = [screen(9), own, ...cameras(5)];
    const before = orderTiles(NO_ORDER, tiles, undefined, 3);
    const { keys: after } = orderTiles(before, tiles, "5", 3);
    expect(after.slice(0, 3)).toEqual(["screen:9", "camera:self", "camera:5"]);
  });

  test("is followed by the tiles", () => {
    const order = orderTiles(NO_ORDER, cameras(3), undefined, 25);
    expect(keys(inOrder([camera(3), camera(4), camera(1)], order))).toEqual([
      "camera:1",
      "camera:3",
      "camera:4",
    ]);
  });
});
