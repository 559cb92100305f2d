import { mediaPath } from "../src/mediaPath.ts";
import { createMeeting } from "../src/meeting.ts";
import { Person } from "../src/person.ts";
import { test } from "../src/runner.ts";
import type { BrowserName } from "../src/tab.ts";

const COUPLES: readonly (readonly [BrowserName, BrowserName])[] = [
  ["chromium", "firefox"],
  ["firefox", "chromium"],
];

for (const [first, second] of COUPLES) {
  test(
    `where there is IPv6 alone, ${second} joins ${first} and they see and hear each other`,
    async (stage) => {
      const server = await stage.serverBehindIpv6();
      const link = await createMeeting(server);
      const ada = await Person.enter(stage, first, link, { name: "Ada", colour: "red" });
      const ben = await Person.enter(stage, second, link, { name: "Ben", colour: "blue" });

      await Promise.all([ada.sees("Ben", "blue"), ben.sees("Ada", "red")]);
      await Promise.all([ada.hears(), ben.hears()]);
      for (const { tab, name } of [ada, ben]) {
        const path = await mediaPath(tab);
        if (path?.remote !== `udp ${server.host} ${server.udpPort}`) {
          throw new Error(`${name} has ${path?.remote}`);
        }
      }
    },
    { skip: ({ ipv6Network }) => (typeof ipv6Network === "string" ? ipv6Network : undefined) },
  );
}
