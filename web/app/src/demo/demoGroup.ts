/**
 * The group of a call without a server: shield, knocks and safety code as a scenario says.
 * @module
 */

import type { GroupSnapshot, PersonId } from "@conclave/client";
import type { KnockView, ShieldGap, ShieldView } from "@conclave/wire";
import type { Scenario } from "./DemoCall";

/** This person's credential. */
export const SELF: PersonId = "self-credential";

const KNOCKS: readonly KnockView[] = [
  { knocker: 71, name: "Priya Natarajan", hostProven: false, nameShared: false },
  { knocker: 72, name: "Jonas Weber", hostProven: false, nameShared: true },
  { knocker: 73, name: "Elena Marchetti", hostProven: true, nameShared: false },
  { knocker: 74, name: "蔡怡君", hostProven: false, nameShared: false },
];

/** The group that a scenario plays. */
export function groupOf(scenario: Scenario): GroupSnapshot {
  return {
    state: scenario.state,
    locked: scenario.locked,
    knocks: KNOCKS.slice(0, scenario.knocks),
    safetyCode: scenario.state === "inGroup" ? "27155 90338 41406 68827 03519 77460" : undefined,
    shield: shieldOf(scenario),
  };
}

/** `knocks` and one more. */
export function nextKnocks(knocks: readonly KnockView[]): readonly KnockView[] {
  const next = KNOCKS.find((one) => knocks.every(({ knocker }) => knocker !== one.knocker));
  return next === undefined ? knocks : [...knocks, next];
}

/** The shield once the code was compared. */
export function withCompared(shield: ShieldView): ShieldView {
  return {
    level: "compared",
    basedOn: [...shield.basedOn, { type: "codeCompared" }],
    notCovered: shield.notCovered.filter(({ type }) => type !== "codeNotCompared"),
  };
}

function shieldOf({ shield, people, role }: Scenario): ShieldView {
  const hosts = Number(people > 1) + Number(role === "host");
  const gaps: readonly ShieldGap[] = [
    ...(people > hosts ? [{ type: "unverified", count: people - hosts } as const] : []),
    { type: "codeNotCompared" },
    { type: "insider" },
    { type: "clientCode" },
    { type: "voiceLevel" },
    { type: "metadata" },
  ];
  const heard = shield === "doubtful" ? Math.floor((people - 1) / 2) : people - 1;
  const view: ShieldView = {
    level: shield === "compared" ? "unverified" : shield,
    basedOn: [
      { type: "groupKeys", members: people },
      { type: "constitution" },
      { type: "linkSecret" },
      { type: "hosts", count: hosts },
      { type: "heard", heard, others: people - 1 },
      { type: "classification", classification: "open" },
    ],
    notCovered: [...gaps],
  };
  return shield === "compared" ? withCompared(view) : view;
}
