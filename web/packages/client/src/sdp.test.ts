import { expect, test } from "vitest";

import { withOpusDtx, withOpusNack } from "./sdp";

const ANSWER = [
  "m=audio 9 UDP/TLS/RTP/SAVPF 111",
  "a=rtpmap:111 opus/48000/2",
  "a=fmtp:111 minptime=10;useinbandfec=1",
  "m=video 9 UDP/TLS/RTP/SAVPF 96 97",
  "a=rtpmap:96 VP8/90000",
  "a=rtpmap:97 rtx/90000",
  "a=fmtp:97 apt=96",
  "",
].join("\r\n");

test("a silent microphone may be quiet on the wire, and nothing else changes", () => {
  const expected = ANSWER.replace("useinbandfec=1", "useinbandfec=1;usedtx=1");
  expect(withOpusDtx(ANSWER)).toBe(expected);
  expect(withOpusDtx(expected)).toBe(expected);
});

test("lost packets of sound may be asked for again, and nothing else changes", () => {
  const opus = "a=rtpmap:111 opus/48000/2\r\n";
  const expected = ANSWER.replace(opus, `${opus}a=rtcp-fb:111 nack\r\n`);
  expect(withOpusNack(ANSWER)).toBe(expected);
  expect(withOpusNack(expected)).toBe(expected);
});
