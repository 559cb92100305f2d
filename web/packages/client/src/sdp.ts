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

/**
 * An offer that says as well that lost packets of Opus may be asked for again (RFC 4585 section
 * 4.2). Chromium does both, ask and answer, if the description that it is given says so, but does
 * not say it itself; other browsers do neither.
 */
export function withOpusNack(sdp: string): string {
  return sdp.replaceAll(/^a=rtpmap:(\d+) opus\/48000.*$/gim, (line: string, type: string) => {
    const feedback = `a=rtcp-fb:${type} nack`;
    return sdp.includes(`${feedback}\r\n`) ? line : `${line.trimEnd()}\r\n${feedback}`;
  });
}
