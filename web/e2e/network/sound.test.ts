import { createMeeting } from "../src/meeting.ts";
import { Person } from "../src/person.ts";
import { test } from "../src/runner.ts";
import type { Tab } from "../src/tab.ts";
import { until } from "../src/until.ts";

/** Each of the two asks for at least so much sound, and sends so much again. */
const ENOUGH = 5;

test(
  "sound that the network loses between two Chromiums comes again, the same in every byte",
  async (stage) => {
    const { server, network } = await stage.serverBehindNetwork();
    const link = await createMeeting(server);
    const people = [
      await Person.enter(stage, "chromium", link, { name: "Ada", colour: "red" }),
      await Person.enter(stage, "chromium", link, { name: "Ben", colour: "blue" }),
    ];
    await Promise.all(people.map((person) => person.hears()));

    for (const { name, tab } of people) {
      await until(`${name} to have asked for lost sound, and to have sent some again`, async () => {
        const { asked, resent } = await repairs(tab);
        return asked >= ENOUGH && resent >= ENOUGH;
      });
    }
    const counts = await Promise.all(people.map(({ tab }) => repairs(tab)));
    const { again = 0, changed = 0 } = network.carried ?? {};
    stage.note(
      `${JSON.stringify(counts)}, ${again} packets came again, ${changed} of them changed`,
    );
    if (again < ENOUGH) throw new Error(`only ${again} packets came again`);
    // Two different packets under one SRTP nonce give AES-GCM's authentication key away.
    if (changed > 0) throw new Error(`${changed} packets came again with something else in them`);
  },
  {
    skip: ({ network }) => (typeof network === "string" ? network : undefined),
    timeoutMs: 120_000,
  },
);

interface Repairs {
  /** Lost packets of sound that the page asked for. */
  readonly asked: number;
  /** Packets of its sound that it sent again. */
  readonly resent: number;
}

function repairs(tab: Tab): Promise<Repairs> {
  return tab.evaluate(async () => {
    let asked = 0;
    let resent = 0;
    for (const peer of conclaveProbe.peers) {
      (await peer.getStats()).forEach((entry: RTCStats & { kind?: string }) => {
        if (entry.kind !== "audio") return;
        if (entry.type === "inbound-rtp")
          asked += (entry as RTCInboundRtpStreamStats).nackCount ?? 0;
        if (entry.type === "outbound-rtp") {
          resent += (entry as RTCOutboundRtpStreamStats).retransmittedPacketsSent ?? 0;
        }
      });
    }
    return { asked, resent };
  });
}
