import { describe, expect, test } from "vitest";

import vectors from "../../../../crates/core/link/vectors.json";
import { fromBase64Url, toBase64Url } from "./base64url";
import { cleanName } from "./displayText";
import {
  claimLink,
  deriveKeys,
  forgetLink,
  formatLink,
  type LinkPlace,
  makeLink,
  OPEN_LINK_POLICY,
  openProfile,
  openTitle,
  ParseLinkError,
  parseLink,
  policyDigest,
  sealProfile,
  sealTitle,
} from "./link";

function hex(bytes: Uint8Array | undefined): string {
  return bytes === undefined
    ? ""
    : Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

describe.each(vectors.links)("the link $link", (vector) => {
  const link = parseLink(vector.link);

  test("parses to the parts that the Rust twin sees", () => {
    expect(link.origin).toBe(vector.origin);
    expect(hex(fromBase64Url(link.id))).toBe(vector.meetingIdBytes);
    expect(hex(link.secret)).toBe(vector.secretBytes);
    expect(hex(fromBase64Url(link.policyDigest))).toBe(vector.policyDigestBytes);
  });

  test("is written as it was read", () => {
    expect(formatLink(link)).toBe(vector.link);
  });

  test("names its policy", async () => {
    expect(await policyDigest(vector.policy)).toBe(link.policyDigest);
  });

  test("gives the same token and hash", async () => {
    const keys = await deriveKeys(link);
    expect(keys.token).toBe(vector.token);
    expect(keys.tokenHash).toBe(vector.tokenHash);
  });

  test("opens what the Rust twin sealed", async () => {
    const { meta } = await deriveKeys(link);
    expect(await openTitle(meta, vector.sealedTitle)).toBe(vector.title);
    expect(await openProfile(meta, vector.sealedProfile)).toEqual({ name: vector.name });
  });

  test("cleans a name whose author did not", async () => {
    const { meta } = await deriveKeys(link);
    const iv = new Uint8Array(12);
    const additionalData = new TextEncoder().encode("conclave/1 profile");
    const json = new TextEncoder().encode(JSON.stringify({ name: " Eve\u202e\n ", more: 1 }));
    const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData }, meta, json);
    const blob = toBase64Url(new Uint8Array([...iv, ...new Uint8Array(sealed)]));
    expect(await openProfile(meta, blob)).toEqual({ name: "Eve" });
  });

  test("does not open a title as a profile, nor what was damaged or cut", async () => {
    const { meta } = await deriveKeys(link);
    const { sealedTitle, sealedProfile, forgedProfile } = vector;
    await expect(openProfile(meta, forgedProfile)).rejects.toMatchObject({
      fault: "authentication",
    });
    await expect(openProfile(meta, sealedTitle)).rejects.toMatchObject({ fault: "authentication" });
    const damaged = `${sealedProfile.slice(0, 20)}AAAA${sealedProfile.slice(24)}`;
    await expect(openProfile(meta, damaged)).rejects.toMatchObject({ fault: "authentication" });
    await expect(openTitle(meta, "AAAA")).rejects.toMatchObject({ fault: "truncated" });
    await expect(openTitle(meta, "ä")).rejects.toMatchObject({ fault: "truncated" });
  });

  test("opens what was sealed here, under a nonce of its own each time", async () => {
    const { meta } = await deriveKeys(link);
    const twice = [
      await sealProfile(meta, { name: "  Ada " }),
      await sealProfile(meta, { name: "Ada" }),
    ];
    expect(twice[0]).not.toBe(twice[1]);
    expect(await openProfile(meta, twice[0] ?? "")).toEqual({ name: "Ada" });
    expect(await openTitle(meta, await sealTitle(meta, "Tea\u202e"))).toBe("Tea");
  });
});

test.each(vectors.rejected)("the $part of $link is refused", ({ link, part }) => {
  try {
    parseLink(link);
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(ParseLinkError);
    expect((error as ParseLinkError).part).toBe(part);
  }
});

test("an error about a link does not repeat it", () => {
  try {
    parseLink("https://localhost/m/AAECAwQFBgcICQoLDA0ODw#1.SECRET.x");
    expect.unreachable();
  } catch (error) {
    expect(String(error)).not.toContain("SECRET");
  }
});

test.each(vectors.names)("the name $input is shown as $cleaned", ({ input, cleaned }) => {
  expect(cleanName(input)).toBe(cleaned);
});

test("each new link has its own id and secret", async () => {
  const [a, b] = await Promise.all([
    makeLink("https://localhost", OPEN_LINK_POLICY),
    makeLink("https://localhost", OPEN_LINK_POLICY),
  ]);
  expect(a.id).not.toBe(b.id);
  expect(hex(a.secret)).not.toBe(hex(b.secret));
  expect(parseLink(formatLink(a))).toEqual(a);
});

describe("the link of the address bar", () => {
  const text = vectors.links[0]?.link ?? "";

  function openTab(storage: Storage, url: string): LinkPlace & { readonly shown: () => string } {
    let location = new URL(url);
    return {
      get location() {
        return location;
      },
      history: {
        state: null,
        replaceState: (_state: unknown, _title: string, to: string) => {
          location = new URL(to, location);
        },
      },
      storage,
      shown: () => location.href,
    };
  }

  test("leaves the address bar and survives a reload", () => {
    sessionStorage.clear();
    const tab = openTab(sessionStorage, text);
    expect(formatLink(claimLink(tab))).toBe(text);
    expect(tab.shown()).toBe(text.slice(0, text.indexOf("#")));
    expect(formatLink(claimLink(tab))).toBe(text);
    expect(localStorage.length).toBe(0);
  });

  test("leaves the address bar even if it is broken", () => {
    const tab = openTab(sessionStorage, text.slice(0, -3));
    expect(() => claimLink(tab)).toThrow(ParseLinkError);
    expect(tab.shown()).not.toContain("#");
  });

  test("is gone after leaving", () => {
    sessionStorage.clear();
    const tab = openTab(sessionStorage, text);
    forgetLink(claimLink(tab).id, sessionStorage);
    expect(() => claimLink(tab)).toThrow(expect.objectContaining({ part: "noFragment" }));
  });
});
