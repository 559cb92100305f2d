import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { connect } from "node:net";

import { ChromiumTab } from "../src/chromium.ts";
import { createMeeting } from "../src/meeting.ts";
import { Person } from "../src/person.ts";
import { test, Violation } from "../src/runner.ts";
import type { Server } from "../src/server.ts";
import { appears, stats, visibleText } from "../src/tab.ts";
import { until } from "../src/until.ts";

test("a link to no meeting says so", async (stage) => {
  const link = await createMeeting(await stage.server());
  const other = link.replace(/\/m\/[^#]+/, "/m/AAAAAAAAAAAAAAAAAAAAAA");
  const tab = await stage.open("chromium");
  await tab.goto(other);
  await until("the message", async () =>
    (await visibleText(tab)).includes("There is no such meeting"),
  );
});

test("a damaged link says what is wrong with it", async (stage) => {
  const server = await stage.server();
  const link = await createMeeting(server);
  const tab = await stage.open("chromium");
  const damages: readonly (readonly [string, string])[] = [
    [link.split("#")[0] ?? "", "The link ends too early"],
    [link.slice(0, -4), "The end of the link is damaged"],
    [`${link.split("#")[0]}#nonsense`, "incomplete"],
    [`${server.url}/m/short#${link.split("#")[1]}`, "The link names no valid meeting"],
  ];
  for (const [damaged, words] of damages) {
    // A change of the fragment alone would not load the page again.
    await tab.goto("about:blank");
    await tab.goto(damaged);
    await until(`"${words}" for ${damaged}`, async () => (await visibleText(tab)).includes(words));
  }
});

test("the home page says what is wrong with a pasted link", async (stage) => {
  const server = await stage.server();
  const tab = await stage.open("chromium");
  await tab.goto(server.url);
  const entries = [
    ["", "Nothing was entered."],
    ["hello", "not a web address"],
    [`${server.url}/about#1.AA.AA`, "does not lead to a meeting"],
  ] as const;
  for (const [entry, words] of entries) {
    await tab.fill("Link from your invitation", entry);
    await tab.click("button", "Go to the meeting");
    await until(`"${words}"`, async () => (await visibleText(tab)).includes(words));
  }
});

test("who refuses camera and microphone may join and sees the others", async (stage) => {
  const link = await createMeeting(await stage.server());
  const ada = await Person.enter(stage, "chromium", link, { name: "Ada", colour: "red" });
  const ben = await Person.arrive(stage, "chromium", link, {
    name: "Ben",
    chromium: { denyPermissions: true },
  });
  await until("to be told", async () =>
    /permission|blocked|allow/i.test(await visibleText(ben.tab)),
  );
  await ben.join();
  await ben.sees("Ada", "red");
  await ben.hears();
  await ada.tileOf("Ben");
});

test("who has no camera and no microphone may join and sees the others", async (stage) => {
  const link = await createMeeting(await stage.server());
  const ada = await Person.enter(stage, "chromium", link, { name: "Ada", colour: "red" });
  const ben = await Person.arrive(stage, "chromium", link, {
    name: "Ben",
    initScripts: [
      () => {
        navigator.mediaDevices.enumerateDevices = async () => [];
        navigator.mediaDevices.getUserMedia = async () => {
          throw new DOMException("Requested device not found", "NotFoundError");
        };
      },
    ],
  });
  await until("to be told", async () =>
    /no camera|no microphone/i.test(await visibleText(ben.tab)),
  );
  await ben.join();
  await ben.sees("Ada", "red");
  await ada.tileOf("Ben");
});

test("a browser that cannot hold calls is told so", async (stage) => {
  const link = await createMeeting(await stage.server());
  const tab = await stage.open("chromium", {
    initScripts: [() => void Reflect.deleteProperty(globalThis, "RTCPeerConnection")],
  });
  await tab.goto(link);
  await until("the message", async () =>
    (await visibleText(tab)).includes("This browser cannot hold video calls"),
  );
});

test("a browser that cannot seal media is told so, and holds no call", async (stage) => {
  const link = await createMeeting(await stage.server());
  for (const browser of ["chromium", "firefox"] as const) {
    const tab = await stage.open(browser, {
      initScripts: [() => void Reflect.deleteProperty(globalThis, "RTCRtpScriptTransform")],
    });
    await tab.goto(link);
    await until("the message", async () =>
      (await visibleText(tab)).includes("This browser cannot protect calls from end to end"),
    );
    const { peers, captured } = await tab.evaluate(() => ({
      peers: conclaveProbe.peers.length,
      captured: conclaveProbe.captured.length,
    }));
    if (peers !== 0) throw new Violation("there is a connection for media");
    if (captured !== 0) throw new Violation("camera or microphone were switched on");
  }
});

test("a second tab of the same person is warned, and both stay", async (stage) => {
  const link = await createMeeting(await stage.server());
  const ada = await Person.enter(stage, "chromium", link, { name: "Ada", colour: "red" });
  if (!(ada.tab instanceof ChromiumTab)) throw new Error("Chromium only");
  const second = stage.adopt(await ada.tab.openSecond());
  await second.goto(link);
  await until("the warning", async () =>
    (await visibleText(second)).includes("This meeting is open in another tab"),
  );
  await ada.isInCall();
});

test("a full meeting says so", async (stage) => {
  const server = await stage.ownServer({ maxParticipants: 2 });
  const link = await createMeeting(server);
  stage.bot(link, { count: 2 });
  const watcher = await Person.arrive(stage, "chromium", link, { name: "Ada" });
  await until("both bots to be in", async () => {
    await watcher.tab.reload();
    await appears(watcher.tab, "textbox", "Your name");
    return (await visibleText(watcher.tab)).includes("2 people are in the call");
  });
  await watcher.pressJoin();
  await until("the message", async () => /full/i.test(await visibleText(watcher.tab)));
});

test("garbage on the ports and on the socket disturbs nobody in a call", async (stage) => {
  const server = await stage.server();
  const link = await createMeeting(server);
  const ada = await Person.enter(stage, "chromium", link, { name: "Ada", colour: "red" });
  const ben = await Person.enter(stage, "chromium", link, { name: "Ben", colour: "blue" });
  await Promise.all([ada.sees("Ben", "blue"), ben.sees("Ada", "red")]);
  const before = await Promise.all([stats(ada.tab), stats(ben.tab)]);
  const connections = await ada.tab.evaluate(() => conclaveProbe.peers.length);

  await Promise.all([floodUdp(server), floodTcp(server)]);
  await ben.tab.evaluate(async () => {
    const address = conclaveProbe.sockets.at(-1)?.url ?? "";
    const junk = ["", "{", "[]", '{"type":"join"}', '{"type":"nonsense"}', "\u0000".repeat(2000)];
    for (const text of [...junk, `{"type":"hello","version":1,"x":"${"y".repeat(400_000)}"}`]) {
      const socket = new WebSocket(address);
      await new Promise((resolve) => {
        socket.onopen = () => {
          socket.send(text);
          socket.send(new Uint8Array([0, 255, 1]));
          setTimeout(resolve, 100);
        };
        socket.onerror = resolve;
      });
      socket.close();
    }
  });
  // On the socket of a running call too: told, and the call goes on.
  await ben.tab.evaluate(() => {
    const socket = conclaveProbe.sockets.find(({ readyState }) => readyState === WebSocket.OPEN);
    for (const text of ["{", '{"type":"view"}', '{"type":"hello","version":1}']) socket?.send(text);
  });

  await Promise.all([ada.decodes(30), ben.decodes(30)]);
  await Promise.all([ada.hears(), ben.hears()]);
  const after = await ada.tab.evaluate(() => conclaveProbe.peers.length);
  if (after !== connections) throw new Error("the call had to connect again");
  if ((await stats(ada.tab)).framesDecoded <= (before[0]?.framesDecoded ?? 0))
    throw new Error("frozen");
  for (const { tab, name } of [ada, ben]) {
    const text = await visibleText(tab);
    if (/interrupted|failed|connected again/i.test(text)) throw new Error(`${name} reads: ${text}`);
  }
});

async function floodUdp(server: Server): Promise<void> {
  const socket = createSocket("udp4");
  for (let i = 0; i < 2000; i += 1) {
    const datagram = randomBytes(1 + ((i * 37) % 1400));
    // First bytes of STUN, DTLS, RTP and RTCP, with nonsense behind them.
    datagram[0] = [0, 1, 20, 22, 63, 128, 144, 200, 255][i % 9] ?? 0;
    await new Promise<void>((resolve) => {
      socket.send(datagram, server.udpPort, server.host, () => resolve());
    });
  }
  socket.close();
}

async function floodTcp(server: Server): Promise<void> {
  const one = (port: number, bytes: Buffer) =>
    new Promise<void>((resolve) => {
      const socket = connect(port, server.host, () => socket.write(bytes));
      socket.on("error", () => resolve());
      socket.on("close", () => resolve());
      setTimeout(() => socket.destroy(), 300);
    });
  for (let i = 0; i < 40; i += 1) {
    const bytes = randomBytes(1 + ((i * 997) % 20_000));
    await Promise.all([one(server.httpsPort, bytes), one(server.mediaTcpPort, bytes)]);
  }
}
