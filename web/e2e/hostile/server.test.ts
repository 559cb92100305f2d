/**
 * A server that lies: what the person sees of it, and what never happens.
 */

import type { ServerMessage, TrackSource } from "@conclave/wire";

import { EvilServer } from "../src/evil.ts";
import {
  chatOf,
  comesInThrough,
  openChat,
  readsInChat,
  removes,
  waitsAtTheDoor,
  writes,
} from "../src/group.ts";
import { createLobby, createMeeting } from "../src/meeting.ts";
import { Person, type PersonOptions } from "../src/person.ts";
import { test, Violation } from "../src/runner.ts";
import type { Stage } from "../src/stage.ts";
import { negotiations, stats, visibleText } from "../src/tab.ts";
import { pause, until } from "../src/until.ts";

interface Victim {
  readonly person: Person;
  readonly evil: EvilServer;
}

/** A person whose server lies, before the call. */
async function arriveAtEvil(stage: Stage, link: string, options: PersonOptions): Promise<Victim> {
  const tab = await stage.openChromium({ label: options.name, ...options });
  const evil = await EvilServer.before(tab);
  await tab.goto(link);
  const person = Person.at(tab, options.name);
  await person.isBeforeCall();
  return { person, evil };
}

/** No media has left the page: it was never told where media would go. */
async function hasSentNothing({ tab, name }: Person): Promise<void> {
  if ((await negotiations(tab)) > 0) throw new Violation(`${name} took an answer up`);
}

/**
 * What a server that swaps people makes of its publications of one source: each gets the next one's
 * place, for good.
 */
function swapping(source: TrackSource): (message: ServerMessage) => ServerMessage {
  let places = new Map<number, number>();
  const swapped = <S extends { readonly publication: number }>(slots: readonly S[]): S[] =>
    slots.map((slot) => ({
      ...slot,
      publication: places.get(slot.publication) ?? slot.publication,
    }));
  return (message) => {
    if (message.type === "admitted") {
      const ids = message.admitted.others
        .flatMap(({ publications }) => publications)
        .filter((publication) => publication.source === source)
        .map(({ id }) => id);
      places = new Map(ids.map((id, i) => [id, ids[(i + 1) % ids.length] ?? id]));
    }
    if (message.type !== "slots") return message;
    return { ...message, audio: swapped(message.audio), video: swapped(message.video) };
  };
}

/** Watches for `ms` that the tiles of the others never show what they must not. */
async function neverShows(
  person: Person,
  wrong: Readonly<Record<string, string>>,
  ms: number,
): Promise<void> {
  const end = performance.now() + ms;
  while (performance.now() < end) {
    for (const { label, colour } of await person.othersInView()) {
      const name = Object.keys(wrong).find((each) => label.includes(each));
      if (name !== undefined && colour === wrong[name]) {
        throw new Violation(`${person.name} sees ${colour} under the name of ${name}`);
      }
    }
    await pause(100);
  }
}

/** Three people; the first one's server lies from the moment that it is told to. */
async function trio(
  stage: Stage,
): Promise<Victim & { readonly ben: Person; readonly cleo: Person }> {
  const link = await createMeeting(await stage.server());
  const ben = await Person.enter(stage, "chromium", link, { name: "Ben", colour: "blue" });
  const cleo = await Person.enter(stage, "chromium", link, { name: "Cleo", colour: "green" });
  const victim = await arriveAtEvil(stage, link, { name: "Ada", colour: "red" });
  return { ...victim, ben, cleo };
}

test("a server that swaps faces shows none of them under another's name", async (stage) => {
  const { person: ada, evil } = await trio(stage);
  evil.toPage = swapping("camera");
  await ada.join();
  await ada.countsPeople(3);
  await until("faces to be swapped", () =>
    evil.said.some((message) => message.type === "slots" && message.video.length >= 2),
  );
  await neverShows(ada, { Ben: "green", Cleo: "blue" }, 12_000);
});

test("a server that swaps voices has them fall silent", async (stage) => {
  const { person: ada, evil } = await trio(stage);
  evil.toPage = swapping("microphone");
  await ada.join();
  await until("voices to be swapped", () =>
    evil.said.some((message) => message.type === "slots" && message.audio.length >= 1),
  );
  await pause(2000);
  const before = await stats(ada.tab);
  await pause(5000);
  const after = await stats(ada.tab);
  const energy = after.audioEnergy - before.audioEnergy;
  if (energy > 1e-4) throw new Violation(`sound of energy ${energy} under another's name`);
});

test("a server that swaps leaves in its roster puts nobody under another's name", async (stage) => {
  const { person: ada, evil } = await trio(stage);
  const swapLeaves = <T extends { readonly leaf: number }>(people: readonly T[]): T[] => {
    const leaves = people.map(({ leaf }) => leaf);
    return people.map((one, i) => ({ ...one, leaf: leaves[(i + 1) % leaves.length] ?? one.leaf }));
  };
  evil.toPage = (message) => {
    if (message.type !== "admitted") return message;
    const others = swapLeaves(message.admitted.others);
    return { ...message, admitted: { ...message.admitted, others } };
  };
  await ada.join();
  await ada.countsPeople(3);
  await neverShows(ada, { Ben: "green", Cleo: "blue" }, 12_000);
});

test("a participant that the server makes up is nobody", async (stage) => {
  const { person: ada, evil, ben } = await trio(stage);
  await ada.join();
  await ada.sees("Ben", "blue");
  evil.tellPage({
    type: "roster",
    present: [
      {
        id: 4242,
        leaf: 77,
        presence: { muted: false },
        connected: true,
        publications: [{ id: 4243, source: "camera" }],
      },
    ],
    left: [],
  });
  await ben.press("Microphone");
  await ada.seesMuted("Ben", true);
  await ada.countsPeople(3);
  if ((await ada.othersInView()).length !== 2) throw new Violation("there is a tile of nobody");
});

test("who the server says has left stays in the list until the members' keys say so", async (stage) => {
  const { person: ada, evil } = await trio(stage);
  await ada.join();
  await ada.sees("Ben", "blue");
  const admitted = evil.said.find((message) => message.type === "admitted");
  const ids = admitted?.type === "admitted" ? admitted.admitted.others.map(({ id }) => id) : [];
  evil.tellPage({ type: "roster", present: [], left: ids.map((id) => [id, "left"]) });
  await pause(3000);
  await ada.countsPeople(3);
});

test("a server that holds a commit back is told of, and stops what is sent", async (stage) => {
  const links = await createLobby(await stage.server());
  const host = await Person.enter(stage, "chromium", links.host, { name: "Hana", colour: "red" });
  const ben = await Person.arrive(stage, "chromium", links.guest, { name: "Ben", colour: "blue" });
  await comesInThrough(host, ben);
  const { person: ada, evil } = await arriveAtEvil(stage, links.guest, {
    name: "Ada",
    colour: "green",
  });
  await comesInThrough(host, ada);
  await ada.sees("Ben", "blue");

  evil.toPage = (message) =>
    message.type === "group" && ["commit", "log"].includes(message.news.type) ? undefined : message;
  await removes(host, "Ben");
  await ben.reads("You were removed from the meeting");
  await until(
    "Ada to be told",
    async () => /late with a change|holds back a change/i.test(await visibleText(ada.tab)),
    { timeoutMs: 90_000 },
  );
  await ada.reads("Nothing of yours is sent.", { timeoutMs: 90_000 });
  const before = (await stats(ada.tab)).audioSent;
  await pause(3000);
  const after = (await stats(ada.tab)).audioSent;
  if (after > before) throw new Violation(`Ada still sends: ${after - before} bytes of sound`);
});

/** A lie about the media node, and what the person reads of it. */
const NODE_LIES: readonly (readonly [string, (message: Answered) => Answered, string])[] = [
  [
    "whose statement is not signed by the meeting's key",
    (answer) => ({
      ...answer,
      statement: { ...answer.statement, signature: flipped(answer.statement.signature) },
    }),
    "is not one of this meeting’s",
  ],
  [
    "that changes the fingerprint in the answer",
    (answer) => ({
      ...answer,
      sdp: answer.sdp.replaceAll(
        /(a=fingerprint:\S+ )(..)/g,
        (_, head: string, byte: string) => `${head}${byte === "00" ? "11" : "00"}`,
      ),
    }),
    "Somebody may sit between you and the server",
  ],
  [
    "that sends media to another address",
    (answer) => ({
      ...answer,
      sdp: answer.sdp.replaceAll(
        /(a=candidate:\S+ \d+ \S+ \d+ )\S+( \d+ typ host)/g,
        "$1198.51.100.7$2",
      ),
    }),
    "by an address that its server did not name",
  ],
];

type Answered = Extract<ServerMessage, { readonly type: "answer" }>["answer"];

/** Another text of the same length. */
function flipped(base64url: string): string {
  const at = 10;
  return `${base64url.slice(0, at)}${base64url[at] === "A" ? "B" : "A"}${base64url.slice(at + 1)}`;
}

for (const [what, lie, words] of NODE_LIES) {
  test(`a server ${what} is sent nothing, and the person is told why`, async (stage) => {
    const link = await createMeeting(await stage.server());
    const { person: ada, evil } = await arriveAtEvil(stage, link, { name: "Ada", colour: "red" });
    evil.toPage = (message) =>
      message.type === "answer" ? { ...message, answer: lie(message.answer) } : message;
    await ada.pressJoin();
    await ada.reads(words);
    await hasSentNothing(ada);
  });
}

test("a statement of the node for another meeting is refused", async (stage) => {
  const server = await stage.server();
  const other = await arriveAtEvil(stage, await createMeeting(server), { name: "Ben" });
  await other.person.join();
  const answer = await until("an answer", () =>
    other.evil.said.find((message) => message.type === "answer"),
  );
  const { person: ada, evil } = await arriveAtEvil(stage, await createMeeting(server), {
    name: "Ada",
  });
  evil.toPage = (message) => {
    if (message.type !== "answer" || answer.type !== "answer") return message;
    return { ...message, answer: { ...message.answer, statement: answer.answer.statement } };
  };
  await ada.pressJoin();
  await ada.reads("speaks for another meeting");
  await hasSentNothing(ada);
});

test("a policy that the server changed is refused before anything is asked", async (stage) => {
  const link = await createMeeting(await stage.server());
  const tab = await stage.openChromium({ label: "Ada" });
  await tab.page.route(/\/api\/v1\/meetings\//, async (route) => {
    const response = await route.fetch();
    const meeting = await response.json();
    const policy = String(meeting.policy).replace('"guests":true', '"guests":false');
    if (policy === meeting.policy) throw new Error("nothing was changed");
    await route.fulfill({ response, json: { ...meeting, policy } });
  });
  await tab.goto(link);
  await until("Ada to be told", async () =>
    (await visibleText(tab)).includes("The meeting’s rules are not those that your link names."),
  );
  const captured = await tab.evaluate(() => conclaveProbe.captured.length);
  if (captured > 0) throw new Violation("the camera was asked for");
});

test("somebody else's Welcome lets nobody in", async (stage) => {
  const links = await createLobby(await stage.server());
  const host = await Person.enter(stage, "chromium", links.host, { name: "Hana", colour: "red" });
  const ben = await arriveAtEvil(stage, links.guest, { name: "Ben", colour: "blue" });
  await comesInThrough(host, ben.person);
  const foreign = ben.evil.said.find(
    (message) => message.type === "group" && message.news.type === "welcome",
  );
  if (foreign === undefined) throw new Error("Ben got no Welcome");

  const ada = await arriveAtEvil(stage, links.guest, { name: "Ada", colour: "green" });
  await ada.person.pressJoin();
  await waitsAtTheDoor(ada.person);
  ada.evil.tellPage(foreign);
  await until("Ada to be told, or to wait on", async () => {
    const text = await visibleText(ada.person.tab);
    return text.includes("What the server handed out for coming in is not valid");
  });
  await hasSentNothing(ada.person);
});

test("a server that says too early that one is in gets no media", async (stage) => {
  const links = await createLobby(await stage.server());
  await Person.enter(stage, "chromium", links.host, { name: "Hana", colour: "red" });
  const { person: ada, evil } = await arriveAtEvil(stage, links.guest, {
    name: "Ada",
    colour: "green",
  });
  await ada.pressJoin();
  await waitsAtTheDoor(ada);
  evil.tellPage({
    type: "admitted",
    admitted: { leaf: 1, others: [], publications: [], relay: null },
  });
  await pause(5000);
  await hasSentNothing(ada);
  await waitsAtTheDoor(ada);
  const text = await visibleText(ada.tab);
  if (text.includes("Hana")) throw new Violation("the name of the host is read at the door");
});

test("a message that the server repeats is read once", async (stage) => {
  const { person: ada, evil, ben } = await trio(stage);
  await ada.join();
  await ada.sees("Ben", "blue");
  await Promise.all([openChat(ada), openChat(ben)]);
  await writes(ben, "said once");
  await readsInChat(ada, "said once");
  const apps = evil.said.filter(
    (message) => message.type === "group" && message.news.type === "app",
  );
  for (const message of [...apps, ...apps]) evil.tellPage(message);
  await writes(ben, "and this after it");
  await readsInChat(ada, "and this after it");
  const times = (await chatOf(ada)).filter((text) => text === "said once").length;
  if (times !== 1) throw new Violation(`"said once" is read ${times} times`);
});
