import type { EndReason } from "@conclave/client";
import type { MemberState, NodeFault } from "@conclave/wire";
import { expect, test } from "vitest";
import { allByRole, render } from "../testing/render";
import { EndView } from "./EndView";
import { endingOf } from "./endings";

async function drawEnd(reason: EndReason, wasInside = true): Promise<void> {
  await render(<EndView reason={reason} wasInside={wasInside} onRejoin={() => undefined} />);
}

const title = (): string => document.querySelector("h1")?.textContent ?? "";
const buttons = (): (string | null)[] => allByRole("button").map(({ textContent }) => textContent);

test.each([
  [{ kind: "denied" }, "You were not let in", "Ask again"],
  [{ kind: "removed" }, "You were removed from the meeting", "Ask again"],
  [{ kind: "crashed" }, "has crashed", "Join again"],
  [{ kind: "left" }, "You left the meeting", "Join again"],
  [{ kind: "unverified", state: "failedDevice" }, "could not make its keys", "Try again"],
] satisfies [EndReason, string, string][])(
  "%j says what happened and leads on",
  async (reason, words, again) => {
    await drawEnd(reason);
    expect(title()).toContain(words);
    expect(buttons()).toContain(again);
  },
);

test.each([
  [{ kind: "over" }, "The meeting is over"],
  [{ kind: "unsupported" }, "This browser cannot protect calls from end to end"],
  [{ kind: "policyMismatch" }, "The meeting’s rules are not those that your link names."],
  [{ kind: "unverified", state: "failedPolicy" }, "rules are not those that your link names."],
  [{ kind: "unverified", state: "failedInviter" }, "Whoever let you in had no right to"],
  [{ kind: "unverified", state: "failedHostKey" }, "The host key in your link"],
] satisfies [EndReason, string][])("%j offers no way back in", async (reason, words) => {
  await drawEnd(reason);
  expect(title()).toContain(words);
  for (const again of ["Join again", "Ask again", "Try again"]) {
    expect(buttons()).not.toContain(again);
  }
});

test("who only asked to be let in did not leave a meeting", async () => {
  await drawEnd({ kind: "left" }, false);
  expect(title()).toBe("You no longer ask to be let in");
});

test("no two causes have the same words", () => {
  const states: MemberState[] = [
    "failedDevice",
    "failedHostKey",
    "failedInvitation",
    "failedInviter",
    "failedMember",
    "failedPolicy",
  ];
  const faults: NodeFault[] = [
    "address",
    "expired",
    "fingerprint",
    "format",
    "jurisdiction",
    "meeting",
    "signature",
  ];
  const titles = [
    ...states.map((state) => endingOf({ kind: "unverified", state }).what.id),
    ...faults.map((fault) => endingOf({ kind: "nodeRefused", fault }).what.id),
  ];
  expect(new Set(titles).size).toBe(titles.length);
});
