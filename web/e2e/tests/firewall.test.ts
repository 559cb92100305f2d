import { firstFrame, watchJoin } from "../src/joinTime.ts";
import { createMeeting } from "../src/meeting.ts";
import { Person } from "../src/person.ts";
import { test } from "../src/runner.ts";
import type { BrowserName, Tab } from "../src/tab.ts";
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
        if (path !== `tcp ${server.host} ${HTTPS_PORT}`) throw new Error(`${name} has ${path}`);
      }
      if ((network.carried?.blocked ?? 0) === 0) throw new Error("the firewall blocked nothing");
      if (tookMs > JOINED_WITHIN_MS) throw new Error(`it took ${Math.round(tookMs)} ms`);
    },
    {
      skip: ({ walledNetwork }) => (typeof walledNetwork === "string" ? walledNetwork : undefined),
    },
  );
}

/** Where the page's media goes: transport, address and port of the server's candidate in use. */
function mediaPath(tab: Tab): Promise<string> {
  return tab.evaluate(async () => {
    const peer = conclaveProbe.peers.find(({ connectionState }) => connectionState === "connected");
    const report = new Map<string, RTCStats>();
    (await peer?.getStats())?.forEach((entry: RTCStats) => {
      report.set(entry.id, entry);
    });
    for (const entry of report.values()) {
      const pair = entry as RTCIceCandidatePairStats;
      if (pair.type !== "candidate-pair" || pair.state !== "succeeded" || !pair.nominated) continue;
      const remote = report.get(pair.remoteCandidateId) as RTCStats & Record<string, unknown>;
      return `${remote["protocol"]} ${remote["address"]} ${remote["port"]}`;
    }
    return "no path";
  });
}
