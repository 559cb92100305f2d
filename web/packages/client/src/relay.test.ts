import type { Relay, RelayWay } from "@conclave/wire";
import { expect, test } from "vitest";

import { iceServers, statedWays } from "./relay";

function relayBy(...ways: RelayWay[]): Relay {
  return { ways, username: "1800000000:tag", password: "secret" };
}

test("media is relayed at the page's own host, by each way", () => {
  const relay = relayBy(
    { protocol: "udp", port: 3478 },
    { protocol: "tcp", port: 3478 },
    { protocol: "tls", port: 443 },
  );
  expect(iceServers(relay, "meet.example.org")).toEqual([
    {
      urls: [
        "turn:meet.example.org:3478?transport=udp",
        "turn:meet.example.org:3478?transport=tcp",
        "turns:meet.example.org:443?transport=tcp",
      ],
      username: "1800000000:tag",
      credential: "secret",
    },
  ]);
  expect(statedWays(relay)).toEqual(["udp 3478", "tcp 3478", "tls 443"]);
});

test("nothing leads to another host", () => {
  const evil = [
    { protocol: "udp", port: "3478@evil.example" },
    { protocol: "udp", port: 0 },
    { protocol: "udp", port: 1.5 },
    { protocol: "udp://evil.example", port: 3478 },
  ] as unknown as RelayWay[];
  expect(iceServers(relayBy(...evil), "meet.example.org")).toEqual([]);
  expect(statedWays(relayBy(...evil))).toEqual([]);
  const [server] = iceServers(relayBy(...evil, { protocol: "tcp", port: 9 }), "[2001:db8::1]");
  expect(server?.urls).toEqual(["turn:[2001:db8::1]:9?transport=tcp"]);
});

test("where nothing is relayed, nobody is asked", () => {
  expect(iceServers(undefined, "meet.example.org")).toEqual([]);
  expect(iceServers(relayBy(), "meet.example.org")).toEqual([]);
  expect(statedWays(undefined)).toEqual([]);
});
