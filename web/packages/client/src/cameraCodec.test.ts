import { expect, test } from "vitest";

import { cameraCodecFor, type EncodingBrowser } from "./cameraCodec";

const VP8 = { mimeType: "video/VP8", clockRate: 90_000 };
const VP9 = { mimeType: "video/VP9", clockRate: 90_000, sdpFmtpLine: "profile-id=0" };

function browser(
  brands: readonly string[] | undefined,
  hardwareConcurrency: number,
  codecs: readonly RTCRtpCodec[] = [VP8, VP9],
): EncodingBrowser {
  const userAgentData = brands && { brands: brands.map((brand) => ({ brand })) };
  return {
    navigator: { hardwareConcurrency, ...(userAgentData && { userAgentData }) },
    RTCRtpSender: { getCapabilities: () => ({ codecs: [...codecs], headerExtensions: [] }) },
  };
}

const CHROMIUM = ["Not A;Brand", "Chromium", "Some Browser"];

test("a strong machine with Chromium sends VP9 by itself, a weak one VP8", () => {
  expect(cameraCodecFor("auto", browser(CHROMIUM, 8))).toBe("vp9");
  expect(cameraCodecFor("auto", browser(CHROMIUM, 7))).toBe("vp8");
});

test("a phone sends VP8 by itself, however many threads it has", () => {
  const { navigator, ...rest } = browser(CHROMIUM, 8);
  const on = (mobile: boolean) => ({
    ...rest,
    navigator: { ...navigator, userAgentData: { brands: [{ brand: "Chromium" }], mobile } },
  });
  expect(cameraCodecFor("auto", on(true))).toBe("vp8");
  expect(cameraCodecFor("auto", on(false))).toBe("vp9");
  expect(cameraCodecFor("vp9", on(true))).toBe("vp9");
});

test("what the server wants counts more than how strong the machine is", () => {
  expect(cameraCodecFor("vp9", browser(CHROMIUM, 2))).toBe("vp9");
  expect(cameraCodecFor("vp8", browser(CHROMIUM, 64))).toBe("vp8");
});

test("a browser whose VP9 is not known to work sends VP8, whatever the server wants", () => {
  for (const wish of ["auto", "vp9"] as const) {
    expect(cameraCodecFor(wish, browser(undefined, 64))).toBe("vp8");
    expect(cameraCodecFor(wish, browser(["Another Engine"], 64))).toBe("vp8");
  }
});

test("a Chromium without the encoder, or with another profile alone, sends VP8", () => {
  const profile2 = { ...VP9, sdpFmtpLine: "x=1;profile-id=2" };
  expect(cameraCodecFor("vp9", browser(CHROMIUM, 8, [VP8]))).toBe("vp8");
  expect(cameraCodecFor("vp9", browser(CHROMIUM, 8, [VP8, profile2]))).toBe("vp8");
});

test("a wish that this client does not know is answered with VP8", () => {
  expect(cameraCodecFor(undefined as unknown as "auto", browser(CHROMIUM, 8))).toBe("vp8");
});
