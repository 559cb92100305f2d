// @vitest-environment node

/**
 * Another implementation of MLS, ts-mls, in a meeting's group: with the group as crate `mls` has it,
 * and as a client that was written by `docs/protocol` alone.
 * @module
 */

import type { GroupNews } from "@conclave/wire";
import { beforeAll, expect, test } from "vitest";
import { MlsDevice, type MlsMember } from "../wasm/vectors";
import { base64url, fromBase64url } from "./testing/bytes";
import {
  type Founding,
  founding,
  keyPair,
  type PolicyChoice,
  publicText,
} from "./testing/constitution";
import { ForeignDevice, type ForeignMember } from "./testing/ForeignMember";
import { loadModules } from "./testing/modules";
import { TestMeeting } from "./testing/TestMeeting";

/** The suite of ML-KEM-768 with X25519 that meetings have by default, and the one of X25519 alone. */
const SUITES = [0x004e, 0x0001] as const;

const FRAME_KEY = "SFrame 1.0 Base Key";

const now = (): number => Math.floor(Date.now() / 1000);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

beforeAll(loadModules);

/** A meeting's keys, and devices of ours without a session around. */
class Group {
  readonly founding: Founding;
  readonly hostKey: CryptoKey;

  private constructor(founding: Founding, hostKey: CryptoKey) {
    this.founding = founding;
    this.hostKey = hostKey;
  }

  static async make(choice: PolicyChoice): Promise<Group> {
    const [host, node] = await Promise.all([keyPair(), keyPair()]);
    const made = await founding(await publicText(host), await publicText(node), choice);
    return new Group(made, host.privateKey);
  }

  /** A device of ours; a host's unless it is a guest's. */
  async ours(role: "host" | "guest" = "host"): Promise<MlsDevice> {
    const credential = crypto.getRandomValues(new Uint8Array(16));
    const { constitution, secret } = this.founding;
    const device = new MlsDevice(constitution, fromBase64url(secret), credential);
    if (role === "host") {
      const statement = new Uint8Array(device.hostStatement());
      const proof = await crypto.subtle.sign("Ed25519", this.hostKey, statement);
      device.proveHost(new Uint8Array(proof));
    }
    return device;
  }

  foreign(role: "host" | "guest" = "guest"): Promise<ForeignDevice> {
    const hostKey = role === "host" ? this.hostKey : undefined;
    return ForeignDevice.make(this.founding, "Fremd", hostKey);
  }

  async found(): Promise<MlsMember> {
    return (await this.ours()).found(crypto.getRandomValues(new Uint8Array(32)), now());
  }

  /** A group that we founded, and a member of the other implementation whom we let in. */
  async pair(role: "host" | "guest" = "guest"): Promise<[MlsMember, ForeignMember]> {
    const ours = await this.found();
    const foreign = await this.foreign(role);
    ours.admit(foreign.keyPackage, now());
    return [ours, await foreign.join(ours.lastWelcome() ?? new Uint8Array(), ours.tree())];
  }
}

/** Both are in one epoch of one history, and have its one key. Returns the key. */
async function agree(ours: MlsMember, foreign: ForeignMember): Promise<string> {
  const key = base64url(ours.takeFrameKey() ?? new Uint8Array());
  expect({
    epoch: foreign.epoch,
    history: base64url(foreign.transcriptHash),
    key: base64url(await foreign.exported(FRAME_KEY)),
    safetyCode: await foreign.safetyCode(),
  }).toEqual({
    epoch: ours.epoch(),
    history: base64url(ours.transcriptHash()),
    key,
    safetyCode: ours.safetyCode(),
  });
  return key;
}

test.each(SUITES)(
  "suite %i: it joins by our Welcome, and has the key of each epoch",
  async (suite) => {
    const [ours, foreign] = await (await Group.make({ suite })).pair();
    const keys = [await agree(ours, foreign)];

    ours.update(now());
    await foreign.receive(ours.lastCommit() ?? new Uint8Array());
    keys.push(await agree(ours, foreign));

    ours.receive(await foreign.update(), now());
    keys.push(await agree(ours, foreign));

    expect(new Set(keys).size).toBe(3);
    expect(keys[0]).toHaveLength(43);
  },
);

test.each(SUITES)("suite %i: each reads what the other says", async (suite) => {
  const [ours, foreign] = await (await Group.make({ suite })).pair();
  expect(await foreign.receive(ours.send(bytes("from us")))).toEqual(bytes("from us"));
  expect(ours.receive(await foreign.send(bytes("from it")), now())).toEqual(bytes("from it"));
});

test.each(SUITES)("suite %i: our device joins by its Welcome", async (suite) => {
  const group = await Group.make({ suite });
  const [first, foreign] = await group.pair("host");
  const guest = await group.ours("guest");
  const { commit, welcome } = await foreign.admit(guest.keyPackage(now()));
  first.receive(commit, now());
  const second = guest.join(welcome, foreign.tree);

  const key = await agree(first, foreign);
  expect(await agree(second, foreign)).toBe(key);
  expect(second.memberCount()).toBe(3);

  // A path to two members of either make.
  const update = await foreign.update();
  for (const ours of [first, second]) ours.receive(update, now());
  expect(await agree(second, foreign)).toBe(await agree(first, foreign));
});

test.each(SUITES)("suite %i: our device comes in alone by its description", async (suite) => {
  const group = await Group.make({ suite });
  const [first, foreign] = await group.pair();
  const second = (await group.ours()).comeInAlone(await foreign.groupInfo(), foreign.tree);
  const commit = second.lastCommit() ?? new Uint8Array();
  first.receive(commit, now());
  await foreign.receive(commit);

  const key = await agree(first, foreign);
  expect(await agree(second, foreign)).toBe(key);
});

test("another label, and whom we removed, have another key", async () => {
  const [ours, foreign] = await (await Group.make({})).pair();
  const before = await agree(ours, foreign);
  expect(base64url(await foreign.exported("SFrame 1.0 Base Kez"))).not.toBe(before);

  ours.remove(foreign.leaf, now());
  await foreign.receive(ours.lastCommit() ?? new Uint8Array());
  expect(foreign.isActive).toBe(false);
  const after = base64url(ours.takeFrameKey() ?? new Uint8Array());
  expect(after).not.toBe(before);
  expect(base64url(await foreign.exported(FRAME_KEY))).toBe(before);
});

test.each(SUITES)("suite %i: without the link's secret it does not come in", async (suite) => {
  const group = await Group.make({ suite, mode: "open-link" });
  const secret = base64url(crypto.getRandomValues(new Uint8Array(32)));
  const stranger = await ForeignDevice.make({ ...group.founding, secret }, "Fremd");

  const ours = await group.found();
  ours.admit(stranger.keyPackage, now());
  const welcome = ours.lastWelcome() ?? new Uint8Array();
  await expect(stranger.join(welcome, ours.tree())).rejects.toThrow();

  // A commit that is in order but for the link: what is forged never gets as far as the rules.
  const other = await group.found();
  const commit = await stranger.commitFromOutside(other.groupInfo(), other.tree());
  expect(() => other.receive(commit, now())).toThrow("NoLinkSecret");
});

test("a client of another make knocks, is let in, hears and is heard", async () => {
  const meeting = await TestMeeting.start();
  const host = meeting.join("Hana", "host");
  await meeting.clock.until(() => host.view().state === "inGroup");

  const device = await ForeignDevice.make(meeting.founding, "Fremd");
  const news: GroupNews[] = [];
  const request = meeting.outsider((told) => news.push(told));
  request({ type: "knock", keyPackage: base64url(device.keyPackage) });
  const knock = await meeting.clock.until(() => host.view().knocks[0]);
  expect(knock.name).toBe("Fremd");
  host.member.command({ type: "admit", knocker: knock.knocker });
  const invitation = await meeting.clock.until(() => taken(news, "welcome"));
  const [welcome, tree] = [invitation.welcome, invitation.tree].map(fromBase64url);
  const member = await device.join(welcome ?? new Uint8Array(), tree ?? new Uint8Array());
  request({ type: "ready", epoch: member.epoch });
  await meeting.clock.until(() => host.view().people.length === 2);
  expect(await member.safetyCode()).toBe(host.view().safetyCode);

  host.member.command({ type: "say", say: { type: "chat", text: "Who is there?" } });
  const heard = await meeting.clock.until(() => taken(news, "app"));
  const content = await member.receive(fromBase64url(heard.message));
  expect(JSON.parse(new TextDecoder().decode(content))).toMatchObject({
    body: { type: "say", body: { kind: "chat", what: "Who is there?" } },
  });

  const answer = { n: 1, body: { type: "say", body: { kind: "chat", what: "It is me." } } };
  const message = base64url(await member.send(bytes(JSON.stringify(answer))));
  request({ type: "app", message });
  const told = await meeting.clock.until(() => host.events[0]);
  expect(told).toMatchObject({
    said: { leaf: 1, name: "Fremd", say: { type: "chat", text: "It is me." } },
  });

  const commit = base64url(await member.update());
  request({
    type: "commit",
    commit,
    welcome: null,
    groupInfo: base64url(await member.groupInfo()),
  });
  await meeting.clock.until(() => host.view().epoch === member.epoch);
  expect(await member.safetyCode()).toBe(host.view().safetyCode);

  // Not by an order of the host's: ts-mls takes the list of external senders, which such a commit
  // repeats, for one sender (RFC 9420 section 12.1.8.1), and refuses it.
  const guest = meeting.join("Gil", "guest");
  const other = await meeting.clock.until(() => host.view().knocks[0]);
  host.member.command({ type: "admit", knocker: other.knocker });
  const admission = await meeting.clock.until(() => taken(news, "commit"));
  await member.receive(fromBase64url(admission.commit));
  await meeting.clock.until(() => guest.view().state === "inGroup");
  expect([guest.view().safetyCode, host.view().safetyCode]).toEqual([
    await member.safetyCode(),
    await member.safetyCode(),
  ]);
  expect(guest.view().people.map(({ name }) => name)).toEqual(["Hana", "Fremd", "Gil"]);
});

/** The first news of a type, taken from the list. */
function taken<Type extends GroupNews["type"]>(
  news: GroupNews[],
  type: Type,
): (GroupNews & { type: Type }) | undefined {
  const at = news.findIndex((told) => told.type === type);
  return at < 0 ? undefined : (news.splice(at, 1)[0] as GroupNews & { type: Type });
}
