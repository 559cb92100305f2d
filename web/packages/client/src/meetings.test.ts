import type { CreateMeeting } from "@conclave/wire";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { HostKeys } from "./hostKeys";
import { drawMeetingId, makeLink, parseLink, policyDigest } from "./link";
import { createMeeting, fetchMeeting } from "./meetings";

const ORIGIN = "https://localhost";
const NO_NETWORK = new TypeError("network changed");
const NODE_KEY = "YGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6e3x9fn8";

let keys: HostKeys;

beforeEach(() => {
  keys = new HostKeys({ get: async () => undefined, put: async () => {} });
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** A server that answers these in turn, and keeps what it was asked. */
function serve(...answers: readonly (unknown | Error)[]): readonly [string, RequestInit][] {
  const asked: [string, RequestInit][] = [];
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    asked.push([url, init]);
    const answer = answers[asked.length - 1];
    if (answer instanceof Error) throw answer;
    return Response.json(answer);
  });
  return asked;
}

test("a question that gets no answer is asked once more", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  const asked = serve(NO_NETWORK, NO_NETWORK);
  const link = await makeLink(ORIGIN, drawMeetingId(), "{}");
  const asking = fetchMeeting(link).catch((e: unknown) => e);
  await vi.waitFor(() => expect(asked).toHaveLength(1));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await asking).toMatchObject({ fault: "unreachable" });
  expect(asked).toHaveLength(2);
});

test("a meeting is answered for with its constitution, and with no other", async () => {
  const policy = '{"mode":"lobby"}';
  const link = await makeLink(ORIGIN, drawMeetingId(), policy);
  const info = { sealedTitle: "", participants: 3, cameraCodec: "vp9" };
  serve({ ...info, policy }, { ...info, policy: "{}" });
  expect(await fetchMeeting(link)).toEqual({
    title: "",
    participants: 3,
    constitution: policy,
    cameraCodec: "vp9",
  });
  await expect(fetchMeeting(link)).rejects.toMatchObject({ fault: "policyMismatch" });
});

describe("creating", () => {
  const server = { nodeKey: NODE_KEY, jurisdiction: "TW" };

  function created(asked: readonly [string, RequestInit][]): CreateMeeting {
    return JSON.parse(String(asked[1]?.[1].body));
  }

  test("founds the meeting on the server's node key and place, and on an own host key", async () => {
    const asked = serve(server, {});
    const { link, hostLink } = await createMeeting(ORIGIN, { title: "Tea" }, keys);
    expect(asked.map(([url, { method }]) => [url, method])).toEqual([
      [`${ORIGIN}/api/v1/server`, undefined],
      [`${ORIGIN}/api/v1/meetings`, "POST"],
    ]);
    const { id, policy } = created(asked);
    expect(id).toBe(link.id);
    expect(await policyDigest(policy)).toBe(link.policyDigest);
    const constitution = JSON.parse(policy);
    expect(constitution).toMatchObject({
      version: 2,
      meeting: id,
      suite: 0x4e,
      mode: "lobby",
      joinBeforeHost: false,
      nodeKey: NODE_KEY,
      jurisdictions: ["TW"],
    });
    expect(await keys.find(id, constitution.hostKey)).toBeDefined();
    const { hostSeed, ...guests } = parseLink(hostLink);
    expect(guests).toEqual(link);
    expect(await keys.adopt("again", hostSeed ?? new Uint8Array())).toBe(constitution.hostKey);
  });

  test("tells the server neither the secret nor the host's seed", async () => {
    const asked = serve(server, {});
    const { hostLink } = await createMeeting(ORIGIN, {}, keys);
    const [, secret = "", , seed = ""] = hostLink.slice(hostLink.indexOf("#")).split(".");
    expect([secret.length, seed.length]).toEqual([43, 43]);
    expect(JSON.stringify(asked)).not.toContain(secret);
    expect(JSON.stringify(asked)).not.toContain(seed);
  });

  test("does as it is chosen, anywhere if the server names no place", async () => {
    const asked = serve({ nodeKey: NODE_KEY, jurisdiction: null }, {});
    await createMeeting(ORIGIN, { mode: "open-link", joinBeforeHost: true }, keys);
    expect(JSON.parse(created(asked).policy)).toMatchObject({
      mode: "open-link",
      joinBeforeHost: true,
      jurisdictions: [],
    });
  });

  test("is not tried twice, and not with a server that cannot sign", async () => {
    const asked = serve(server, NO_NETWORK);
    await expect(createMeeting(ORIGIN, {}, keys)).rejects.toMatchObject({ fault: "unreachable" });
    expect(asked).toHaveLength(2);
    for (const strange of [
      {},
      { ...server, nodeKey: "short" },
      { ...server, jurisdiction: "tw" },
    ]) {
      serve(strange);
      await expect(createMeeting(ORIGIN, {}, keys)).rejects.toMatchObject({
        fault: "incompatible",
      });
    }
  });
});
