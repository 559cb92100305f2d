import { type PointerEvent, useRef } from "react";

/** How far a finger goes sideways before it counts. */
const SWIPE_PX = 56;

export interface SwipeHandlers {
  readonly onPointerDown: (event: PointerEvent) => void;
  readonly onPointerUp: (event: PointerEvent) => void;
  readonly onPointerCancel: () => void;
}

/** Turns a sideways stroke of one finger into a page: -1 back, 1 on. */
export function useSwipe(onSwipe: (direction: -1 | 1) => void): SwipeHandlers {
  const start = useRef<{ readonly id: number; readonly x: number; readonly y: number }>(undefined);
  return {
    onPointerDown: (event) => {
      // A second finger zooms.
      const isFirst = event.pointerType === "touch" && event.isPrimary;
      start.current = isFirst
        ? { id: event.pointerId, x: event.clientX, y: event.clientY }
        : undefined;
    },
    onPointerUp: (event) => {
      const from = start.current;
      start.current = undefined;
      if (from === undefined || from.id !== event.pointerId) return;
      const dx = event.clientX - from.x;
      if (Math.abs(dx) < SWIPE_PX || Math.abs(dx) < 2 * Math.abs(event.clientY - from.y)) return;
      onSwipe(dx < 0 ? 1 : -1);
    },
    onPointerCancel: () => {
      start.current = undefined;
    },
  };
}
