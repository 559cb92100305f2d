import type { Tab } from "./tab.ts";

/** The way that a page's media takes. */
export interface MediaPath {
  /** Transport, address and port of the server's candidate. */
  readonly remote: string;
  /** The port of the own candidate. */
  readonly localPort: number;
  /** How the own candidate is come by: `host`, `prflx` or `relay`. */
  readonly kind: string;
  /** What carries TURN, if media is relayed: `udp`, `tcp` or `tls`. Firefox does not say. */
  readonly relayProtocol: string | undefined;
  /** How often the server has answered a check of this way. */
  readonly checks: number;
}

/** The way that is in use. */
export function mediaPath(tab: Tab): Promise<MediaPath | undefined> {
  return tab.evaluate(async () => {
    const peer = conclaveProbe.peers.find(({ connectionState }) => connectionState === "connected");
    const report = new Map<string, RTCStats>();
    (await peer?.getStats())?.forEach((entry: RTCStats) => {
      report.set(entry.id, entry);
    });
    for (const entry of report.values()) {
      const pair = entry as RTCIceCandidatePairStats;
      if (pair.type !== "candidate-pair" || pair.state !== "succeeded" || !pair.nominated) continue;
      const far = report.get(pair.remoteCandidateId) as RTCStats & Record<string, unknown>;
      const near = report.get(pair.localCandidateId) as RTCStats & Record<string, unknown>;
      return {
        remote: `${far["protocol"]} ${far["address"]} ${far["port"]}`,
        localPort: Number(near["port"]),
        kind: String(near["candidateType"]),
        relayProtocol: near["relayProtocol"] as string | undefined,
        checks: pair.responsesReceived ?? 0,
      };
    }
    return undefined;
  });
}
