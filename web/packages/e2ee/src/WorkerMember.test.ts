// @vitest-environment node

import { beforeAll, expect, test } from "vitest";
import { base64url } from "./testing/bytes";
import { loadModules } from "./testing/modules";
import { TestMeeting } from "./testing/TestMeeting";

beforeAll(loadModules);

test("a host founds, a guest knocks and is let in, and they read each other's words", async () => {
  const meeting = await TestMeeting.start();
  const host = meeting.join("Hana", "host");
  await meeting.clock.until(() => host.view().state === "inGroup");
  const guest = meeting.join("Gil", "guest");

  const knock = await meeting.clock.until(() => host.view().knocks[0]);
  expect(knock).toMatchObject({ name: "Gil", hostProven: false, nameShared: false });
  expect(guest.view().state).toBe("knocking");
  host.member.command({ type: "admit", knocker: knock.knocker });
  await meeting.clock.until(() => guest.view().state === "inGroup");
  await meeting.clock.until(() => host.view().people.length === 2);

  const people = guest.view().people.map(({ name, role, proof, isSelf }) => ({
    name,
    role,
    proof,
    isSelf,
  }));
  expect(people).toEqual([
    { name: "Hana", role: "host", proof: "hostKey", isSelf: false },
    { name: "Gil", role: "guest", proof: "linkOnly", isSelf: true },
  ]);
  expect(guest.view().safetyCode).toMatch(/^\d{5}( \d{5}){5}$/);
  expect(guest.view().safetyCode).toBe(host.view().safetyCode);
  expect(host.view().knocks).toEqual([]);

  guest.member.command({ type: "say", say: { type: "chat", text: "Good morning" } });
  const event = await meeting.clock.until(() => host.events[0]);
  expect(event).toMatchObject({
    type: "said",
    said: { name: "Gil", leaf: 1, say: { type: "chat", text: "Good morning" } },
  });
});

test("who is turned away is told, and sees nobody", async () => {
  const meeting = await TestMeeting.start();
  const host = meeting.join("Hana", "host");
  await meeting.clock.until(() => host.view().state === "inGroup");
  const guest = meeting.join("Gil", "guest");
  const { knocker } = await meeting.clock.until(() => host.view().knocks[0]);

  host.member.command({ type: "deny", knocker });

  await meeting.clock.until(() => guest.view().state === "denied");
  expect(guest.view().people).toEqual([]);
  expect(host.view().knocks).toEqual([]);
});

test("who is kicked has no group any more", async () => {
  const meeting = await TestMeeting.start();
  const [host, guest] = await meeting.pair();
  const credential = guest.view().ownCredential ?? "";

  host.member.command({ type: "kick", credential });

  await meeting.clock.until(() => guest.view().state === "removed");
  await meeting.clock.until(() => host.view().people.length === 1);
  expect(guest.view().safetyCode).toBeNull();
});

test("a wish that means nobody is not done, and said so", async () => {
  const meeting = await TestMeeting.start();
  const [host] = await meeting.pair();
  host.member.command({ type: "kick", credential: "no credential" });
  const event = await meeting.clock.until(() => host.events[0]);
  expect(event).toEqual({ type: "notDone", why: "unknown" });
});

test("another policy than the link's is refused before anything is said", async () => {
  const meeting = await TestMeeting.start();
  const constitution = meeting.founding.constitution.replace('"lobby"', '"open-link"');
  const guest = meeting.join("Gil", "guest", { constitution });
  await meeting.clock.until(() => guest.view().state === "failedPolicy");
});

test("the key of another meeting makes nobody a host", async () => {
  const meeting = await TestMeeting.start();
  const other = await TestMeeting.start();
  const thief = meeting.join("Eve", "guest", { hostKey: other.nodeKey });
  await meeting.clock.until(() => thief.view().state === "failedHostKey");
});

test("a node's statement is held against the constitution's key and the answer", async () => {
  const meeting = await TestMeeting.start();
  const [, guest] = await meeting.pair();
  const sdp =
    "v=0\r\na=fingerprint:sha-256 AB:CD\r\na=candidate:1 1 udp 1 192.0.2.1 10000 typ host\r\n";
  const text = JSON.stringify({
    version: 1,
    meeting: JSON.parse(meeting.founding.constitution).meeting,
    fingerprint: "sha-256 AB:CD",
    addresses: ["relay udp 3478", "udp 192.0.2.1 10000"],
    jurisdiction: null,
    expires: Math.floor(Date.now() / 1000) + 60,
  });
  const signed = new TextEncoder().encode(`conclave/1 node statement${text}`);
  const signature = base64url(await crypto.subtle.sign("Ed25519", meeting.nodeKey, signed));

  const verify = (answer: string, statement = { text, signature }, relay: string[] = []) =>
    guest.member.verifyAnswer(answer, relay, statement);
  expect(await verify(sdp)).toBeUndefined();
  expect(await verify(sdp, undefined, ["udp 3478"])).toBeUndefined();
  expect(await verify(sdp, undefined, ["udp 3478", "tcp 3478"])).toBe("address");
  expect(await verify(sdp.replace("AB:CD", "AB:CE"))).toBe("fingerprint");
  expect(await verify(sdp.replace("192.0.2.1", "198.51.100.1"))).toBe("address");
  expect(await verify(sdp, { text: text.replace("10000", "10009"), signature })).toBe("signature");
});

test("only who has a leaf's key signs to resume", async () => {
  const meeting = await TestMeeting.start();
  const [host] = await meeting.pair();
  const challenge = base64url(new Uint8Array(32));
  expect(await host.member.signResume(challenge)).toHaveLength(86);
  expect(await host.member.signResume("short")).toBeUndefined();
  const refused = meeting.join("Gil", "guest", { constitution: "{}" });
  expect(await refused.member.signResume(challenge)).toBeUndefined();
});

test("a setup that cannot be read is a crash, told once; nothing is sealed after it", async () => {
  const meeting = await TestMeeting.start();
  const device = meeting.join("Gil", "guest", { secret: "too short" });
  await meeting.clock.until(() => device.crashes());
  device.member.news({ type: "founded" });
  await meeting.clock.pass(100);
  expect(device.crashes()).toBe(1);
  const sealed = device.keeper.seal("microphone", "audio/opus", new ArrayBuffer(8));
  expect(sealed).toEqual({ frame: undefined, why: "crashed" });
});
