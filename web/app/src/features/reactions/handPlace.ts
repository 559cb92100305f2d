import type { CallSnapshot, PersonId } from "@conclave/client";

/** A person's place among the raised hands, from 1; 0 while the hand is down. */
export function handPlace({ hands }: Pick<CallSnapshot, "hands">, person: PersonId): number {
  return hands.indexOf(person) + 1;
}

/** This person's own place. */
export function ownPlace(snapshot: Pick<CallSnapshot, "hands" | "self">): number {
  const { id } = snapshot.self;
  return id === undefined ? 0 : handPlace(snapshot, id);
}
