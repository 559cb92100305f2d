import { firstFrame, watchJoin } from "../src/joinTime.ts";
import { mediaPath } from "../src/mediaPath.ts";
import { createMeeting } from "../src/meeting.ts";
import { Person } from "../src/person.ts";
import { test } from "../src/runner.ts";
import type { BrowserName } from "../src/tab.ts";
import { HTTPS_PORT } from "../src/world.ts";

/** From the click on Join to the first decoded frame of somebody else. */
const JOINED_WITHIN_MS = 5000;

const COUPLES: readonly (readonly [BrowserName, BrowserName])[] = [
  ["chromium", "firefox"],
  ["firefox", "chromium"],
];

for (const [first, second] of COUPLES) {
  test(
    `where a firewall lets nothing but HTTPS out, ${second} joins ${first} and they see and hear each other`,
    async (stage) => {
      const { server, network } = await stage.serverBehindFirewall();
      const link = await createMeeting(server);
      const initScripts = [watchJoin];
      const ada = await Person.enter(stage, first, link, {
        name: "Ada",
        colour: "red",
        initScripts,
      });
      const ben = await Person.enter(stage, second, link, {
        name: "Ben",
        colour: "blue",
        initScripts,
      });

      const { tookMs } = await firstFrame(ben.tab);
      stage.note(`${second}: first frame ${Math.round(tookMs)} ms after the click on Join`);
      await Promise.all([ada.sees("Ben", "blue"), ben.sees("Ada", "red")]);
      await Promise.all([ada.hears(), ben.hears()]);
      for (const { tab, name } of [ada, ben]) {
        const path = await mediaPath(tab);
        if (path?.remote !== `tcp ${server.host} ${HTTPS_PORT}`) {
          throw new Error(`${name} has ${path?.remote}`);
        }
      }
      if ((network.carried?.blocked ?? 0) === 0) throw new Error("the firewall blocked nothing");
      if (tookMs > JOINED_WITHIN_MS) throw new Error(`it took ${Math.round(tookMs)} ms`);
    },
    {
      skip: ({ walledNetwork }) => (typeof walledNetwork === "string" ? walledNetwork : undefined),
    },
  );
}

test(
  "where a firewall wants TLS at the HTTPS port, two join by TURN over TLS and see and hear each other",
  async (stage) => {
    const options = { turn: ["tls"], httpsMedia: false } as const;
    const { server, network } = await stage.serverBehindFirewall(options);
    const link = await createMeeting(server);
    const initScripts = [watchJoin];
    const ada = await Person.enter(stage, "chromium", link, {
      name: "Ada",
      colour: "red",
      initScripts,
    });
    const ben = await Person.enter(stage, "chromium", link, {
      name: "Ben",
      colour: "blue",
      initScripts,
    });

    const { tookMs } = await firstFrame(ben.tab);
    stage.note(`chromium: first frame ${Math.round(tookMs)} ms after the click on Join`);
    await Promise.all([ada.sees("Ben", "blue"), ben.sees("Ada", "red")]);
    await Promise.all([ada.hears(), ben.hears()]);
    for (const { tab, name } of [ada, ben]) {
      const path = await mediaPath(tab);
      const isRelayed = path?.kind === "relay" && path.relayProtocol === "tls";
      if (!isRelayed || path.remote !== `udp ${server.host} ${server.udpPort}`) {
        throw new Error(`${name} has ${JSON.stringify(path)}`);
      }
    }
    if ((network.carried?.blocked ?? 0) === 0) throw new Error("the firewall blocked nothing");
    if (tookMs > JOINED_WITHIN_MS) throw new Error(`it took ${Math.round(tookMs)} ms`);
  },
  {
    skip: ({ walledNetwork }) => (typeof walledNetwork === "string" ? walledNetwork : undefined),
  },
);

for (const way of ["udp", "tcp"] as const) {
  test(
    `by TURN over ${way.toUpperCase()} alone, Chromium and Firefox see and hear each other`,
    async (stage) => {
      const { server } = await stage.serverBehindNetwork({ turn: [way] });
      const link = await createMeeting(server);
      const initScripts = [relayedOnly];
      const ada = await Person.enter(stage, "chromium", link, {
        name: "Ada",
        colour: "red",
        initScripts,
      });
      const ben = await Person.enter(stage, "firefox", link, {
        name: "Ben",
        colour: "blue",
        initScripts,
      });

      await Promise.all([ada.sees("Ben", "blue"), ben.sees("Ada", "red")]);
      await Promise.all([ada.hears(), ben.hears()]);
      for (const { tab, name } of [ada, ben]) {
        const path = await mediaPath(tab);
        if (path?.kind !== "relay" || path.remote !== `udp ${server.host} ${server.udpPort}`) {
          throw new Error(`${name} has ${JSON.stringify(path)}`);
        }
      }
      const chromium = await mediaPath(ada.tab);
      if (chromium?.relayProtocol !== way) throw new Error(`by ${chromium?.relayProtocol}`);
    },
    { skip: ({ network }) => (typeof network === "string" ? network : undefined) },
  );
}

test(
  "where media gets through directly, it is not relayed",
  async (stage) => {
    const { server } = await stage.serverBehindNetwork({ turn: ["udp", "tcp", "tls"] });
    const link = await createMeeting(server);
    const ada = await Person.enter(stage, "chromium", link, { name: "Ada", colour: "red" });
    const ben = await Person.enter(stage, "firefox", link, { name: "Ben", colour: "blue" });

    await Promise.all([ada.sees("Ben", "blue"), ben.sees("Ada", "red")]);
    for (const { tab, name } of [ada, ben]) {
      const path = await mediaPath(tab);
      if (path === undefined || path.kind === "relay") {
        throw new Error(`${name} has ${JSON.stringify(path)}`);
      }
    }
  },
  { skip: ({ network }) => (typeof network === "string" ? network : undefined) },
);

/** Runs in the page: peer connections take no path but a relayed one. */
function relayedOnly(): void {
  const Native = globalThis.RTCPeerConnection;
  const iceTransportPolicy = "relay";
  globalThis.RTCPeerConnection = new Proxy(Native, {
    construct: (target, [configuration]: [RTCConfiguration?]) =>
      new target({ ...configuration, iceTransportPolicy }),
  });
}
