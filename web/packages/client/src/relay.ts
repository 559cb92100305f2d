import type { Relay, RelayWay } from "@conclave/wire";

/**
 * What a browser asks to relay its media: the TURN server at `host`, which is the page's own. No
 * other host can be named, whatever the server says.
 */
export function iceServers(relay: Relay | undefined, host: string): RTCIceServer[] {
  const urls = ways(relay).map((way) => url(way, host));
  if (relay === undefined || urls.length === 0) return [];
  const { username, password } = relay;
  return [{ urls, username, credential: password }];
}

/** The ways that are used, as the media node's statement must have them. */
export function statedWays(relay: Relay | undefined): string[] {
  return ways(relay).map(({ protocol, port }) => `${protocol} ${port}`);
}

/** Ways of kinds that there are, at ports that are numbers: an address is made of nothing else. */
function ways(relay: Relay | undefined): readonly RelayWay[] {
  const isOne = ({ protocol, port }: RelayWay): boolean =>
    ["tcp", "tls", "udp"].includes(protocol) && Number.isInteger(port) && port > 0 && port < 65_536;
  return relay?.ways.filter(isOne) ?? [];
}

/** RFC 7065. */
function url({ protocol, port }: RelayWay, host: string): string {
  switch (protocol) {
    case "tcp":
      return `turn:${host}:${port}?transport=tcp`;
    case "tls":
      return `turns:${host}:${port}?transport=tcp`;
    case "udp":
      return `turn:${host}:${port}?transport=udp`;
  }
}
