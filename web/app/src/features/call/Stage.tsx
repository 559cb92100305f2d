import {
  arrange,
  type CallCommands,
  type CallSnapshot,
  type DeviceClass,
  gridPageSize,
  inOrder,
  type LayoutRequest,
  NO_ORDER,
  orderTiles,
  type PersonId,
  type Tile,
  type TileBox,
  type TileLayout,
  tilesOf,
} from "@conclave/client";
import { classes, IconButton, useAnnounce } from "@conclave/ui";
import type { Want } from "@conclave/wire";
import { Trans, useLingui } from "@lingui/react/macro";
import { ChevronLeft, ChevronRight } from "lucide-react";
import {
  type CSSProperties,
  type JSX,
  type ReactNode,
  useEffect,
  useLayoutEffect,
  useRef,
} from "react";
import { useSnapshot } from "../../useSnapshot";
import { CallTile, type CallTileProps } from "./CallTile";
import { chooseLayout, type LayoutWish, sameTiles, selfFloats } from "./layoutWish";
import styles from "./Stage.module.css";
import { type Size, useElementSize } from "./useElementSize";
import { useSwipe } from "./useSwipe";

const c = classes(styles);

/** Between tiles, in CSS pixels. */
const GAP = 10;

/** A stage narrower than this is a phone's. */
const PHONE_PX = 600;

export interface StageProps {
  readonly call: CallCommands;
  readonly layout: LayoutWish;
  readonly page: number;
  readonly onPage: (page: number) => void;
  readonly onPin: (id: PersonId | undefined) => void;
  /** Signs on a person's tile: a raised hand, a reaction. It must stay the same function. */
  readonly signsOf: CallTileProps["signsOf"];
  /** What stands here while nobody else is in the call. */
  readonly whenAlone: ReactNode;
}

/** The pictures of a call: measures itself, lays tiles out, and tells the call what is in view. */
export function Stage(props: StageProps): JSX.Element {
  const { call, layout, page, onPage, onPin, signsOf, whenAlone } = props;
  const { t } = useLingui();
  const [measure, size] = useElementSize();
  const floats = useSnapshot(call, selfFloats);
  const isAlone = useSnapshot(call, ({ others }) => others.length === 0);
  const tiles = useTiles(call);
  const { boxes, pages, page: current, wants } = useLayout(call, tiles, layout, page, size);

  useView(call, size, wants);
  const turn = (by: -1 | 1): void => {
    const next = Math.min(pages - 1, Math.max(0, current + by));
    if (next !== current) onPage(next);
  };
  const swipe = useSwipe(turn);

  const byKey = new Map(tiles.map((tile) => [tile.key, tile]));
  // A lone face on a phone fills it, edge to edge.
  const isLone = boxes.length === 1 && size !== undefined && size.width < PHONE_PX;
  const draw = (box: TileBox): JSX.Element | null => {
    const tile = byKey.get(box.key);
    if (tile === undefined) return null;
    return (
      <CallTile
        key={tile.key}
        call={call}
        tile={tile}
        style={isLone ? FILL : styleOf(box)}
        isPinned={tile.participant === layout.pin}
        onPin={onPin}
        signsOf={signsOf}
      />
    );
  };
  return (
    <section className={c("frame")} aria-label={t`Pictures`}>
      <div className={c("stage")} ref={measure} {...swipe}>
        {isAlone ? whenAlone : boxes.map(draw)}
        {floats ? (
          <div className={c("float")}>
            <CallTile
              call={call}
              tile={FLOATING_SELF}
              style={FILL}
              isPinned={false}
              onPin={onPin}
              signsOf={signsOf}
            />
          </div>
        ) : null}
      </div>
      {pages > 1 ? <Pager page={current} pages={pages} onTurn={turn} /> : null}
    </section>
  );
}

const FLOATING_SELF: Tile = {
  key: "camera:self",
  participant: "self",
  source: "camera",
  publication: undefined,
};
const FILL: CSSProperties = { position: "absolute", inset: 0 };

/** Same box, same object: a memoised tile stays as it is. */
const STYLES = new Map<string, CSSProperties>();

function styleOf({ x, y, width, height }: TileBox): CSSProperties {
  const key = `${x} ${y} ${width} ${height}`;
  let style = STYLES.get(key);
  if (style === undefined) {
    if (STYLES.size > 500) STYLES.clear();
    style = { position: "absolute", left: x, top: y, width, height };
    STYLES.set(key, style);
  }
  return style;
}

/** The call's tiles; the same object until they are others. */
function useTiles(call: CallCommands): readonly Tile[] {
  const kept = useRef<readonly Tile[]>([]);
  return useSnapshot(call, (snapshot: CallSnapshot) => {
    const next = tilesOf(snapshot, { self: !selfFloats(snapshot) });
    if (!sameTiles(kept.current, next)) kept.current = next;
    return kept.current;
  });
}

const UNMEASURED: Size = { width: 0, height: 0 };

function useLayout(
  call: CallCommands,
  tiles: readonly Tile[],
  wish: LayoutWish,
  page: number,
  size: Size = UNMEASURED,
): TileLayout {
  const activeSpeaker = useSnapshot(call, (snapshot) => snapshot.activeSpeaker);
  const order = useRef(NO_ORDER);
  const device: DeviceClass = size.width < PHONE_PX ? "phone" : "desktop";
  const request: LayoutRequest = {
    ...size,
    ...chooseLayout(wish, tiles),
    gap: GAP,
    device,
    devicePixelRatio,
    tiles: inOrder(tiles, order.current),
    page,
    activeSpeaker,
  };
  const next = orderTiles(order.current, tiles, activeSpeaker, placesOnFirstPage(request));
  useLayoutEffect(() => {
    order.current = next;
  });
  return arrange({ ...request, tiles: inOrder(tiles, next) });
}

function placesOnFirstPage(request: LayoutRequest): number {
  if (request.layout === "grid") return gridPageSize(request);
  return Math.max(1, arrange({ ...request, page: 0 }).boxes.length - 1);
}

/** Tells the call what is on display, when that changes. */
function useView(call: CallCommands, size: Size | undefined, wants: readonly Want[]): void {
  const isMeasured = size !== undefined;
  const wish = JSON.stringify(wants);
  useEffect(() => {
    if (isMeasured) call.setView(JSON.parse(wish) as Want[]);
  }, [call, isMeasured, wish]);
}

interface PagerProps {
  readonly page: number;
  readonly pages: number;
  readonly onTurn: (by: -1 | 1) => void;
}

/** More dots than this are not counted at a glance. */
const MOST_DOTS = 9;

function Pager({ page, pages, onTurn }: PagerProps): JSX.Element {
  const { t } = useLingui();
  const announce = useAnnounce();
  const number = page + 1;
  const words = t`Page ${number} of ${pages}`;
  const said = useRef(words);
  useEffect(() => {
    if (said.current !== words) announce(words);
    said.current = words;
  }, [announce, words]);
  return (
    <nav className={c("pager")} aria-label={t`Pages of pictures`}>
      <IconButton label={t`Previous page`} isDisabled={page === 0} onPress={() => onTurn(-1)}>
        <ChevronLeft size={22} aria-hidden />
      </IconButton>
      <div className={c("count")}>
        <Trans>
          Page {number} of {pages}
        </Trans>
        {pages > MOST_DOTS ? null : (
          <div className={c("dots")} aria-hidden>
            {Array.from({ length: pages }, (_, at) => at).map((at) => (
              <span key={at} className={c("dot", at === page && "current")} />
            ))}
          </div>
        )}
      </div>
      <IconButton label={t`Next page`} isDisabled={page === pages - 1} onPress={() => onTurn(1)}>
        <ChevronRight size={22} aria-hidden />
      </IconButton>
    </nav>
  );
}
