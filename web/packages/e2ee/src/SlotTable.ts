import type { TrackSource } from "@conclave/wire";
import type { SlotAssignment, SlotRef } from "./member";

/** Whose frames a slot carries. */
export interface Carried {
  readonly leaf: number;
  readonly source: TrackSource;
}

interface Slot {
  readonly generation: number;
  readonly now: Carried | undefined;
  /** What it carried before: frames of it may still be on their way. */
  readonly before: Carried | undefined;
}

/** What the server says that slots carry. */
export class SlotTable {
  readonly #slots = new Map<string, Slot>();

  /** Takes the complete list of a media session. Sessions before it are over. */
  assign(generation: number, assignments: readonly SlotAssignment[]): void {
    const listed = new Map(assignments.map((slot) => [key({ ...slot, generation }), slot]));
    for (const [name, slot] of this.#slots) {
      if (slot.generation < generation) this.#slots.delete(name);
      else if (slot.generation === generation && slot.now && !listed.has(name)) {
        this.#slots.set(name, { generation, now: undefined, before: slot.now });
      }
    }
    for (const [name, { leaf, source }] of listed) {
      const old = this.#slots.get(name);
      if (old?.now?.leaf === leaf && old.now.source === source) continue;
      this.#slots.set(name, { generation, now: { leaf, source }, before: old?.now ?? old?.before });
    }
  }

  carried(slot: SlotRef): Carried | undefined {
    return this.#slots.get(key(slot))?.now;
  }

  carriedBefore(slot: SlotRef): Carried | undefined {
    return this.#slots.get(key(slot))?.before;
  }
}

function key({ generation, kind, index }: SlotRef): string {
  return `${generation} ${kind} ${index}`;
}
