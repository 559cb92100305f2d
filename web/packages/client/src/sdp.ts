/**
 * An answer that also allows discontinuous transmission of Opus (RFC 7587 section 7): a silent
 * microphone then sends some 6 packets a second instead of 50. The sender obeys the answer's
 * `fmtp`, so this is said on behalf of a server that does not care either way.
 */
export function withOpusDtx(sdp: string): string {
  const payloadTypes = new Set(
    [...sdp.matchAll(/^a=rtpmap:(\d+) opus\/48000/gim)].map(([, type]) => type),
  );
  return sdp.replaceAll(
    /^a=fmtp:(\d+) (.*)$/gm,
    (line: string, type: string, parameters: string) =>
      payloadTypes.has(type) && !parameters.includes("usedtx")
        ? `${line.trimEnd()};usedtx=1`
        : line,
  );
}
