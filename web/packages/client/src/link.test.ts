import { describe, expect, test } from "vitest";

import vectors from "../../../../crates/core/link/vectors.json";
import { fromBase64Url, toBase64Url } from "./base64url";
import { writeConstitution } from "./constitution";
import { cleanName } from "./displayText";
import { HostKeys } from "./hostKeys";
import {
  claimLink,
  deriveKeys,
  drawMeetingId,
  forgetLink,
  formatHostLink,
  formatLink,
  keepLink,
  type LinkPlace,
  makeLink,
  openTitle,
  ParseLinkError,
  parseLink,
  policyDigest,
  sealTitle,
} from "./link";

/** Host keys that nothing keeps. */
function hostKeys(): HostKeys {
  return new HostKeys({ get: async () => undefined, put: async () => {} });
}

function hex(bytes: Uint8Array | undefined): string {
  return bytes === undefined
    ? ""
    : Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

function fromHex(byte: string): number {
  return Number.parseInt(byte, 16);
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

  test("opens the title that the Rust twin sealed", async () => {
    const { meta } = await deriveKeys(link);
    expect(await openTitle(meta, vector.sealedTitle)).toBe(vector.title);
  });

  test("cleans a title whose author did not", async () => {
    const { meta } = await deriveKeys(link);
    const iv = new Uint8Array(12);
    const additionalData = new TextEncoder().encode("conclave/1 title");
    const title = new TextEncoder().encode(" Tea\u202e\n ");
    const sealed = await crypto.subtle.encrypt(
      { name: "AES-GCM", iv, additionalData },
      meta,
      title,
    );
    const blob = toBase64Url(new Uint8Array([...iv, ...new Uint8Array(sealed)]));
    expect(await openTitle(meta, blob)).toBe("Tea");
  });

  test("does not open a name as a title, nor what was damaged or cut", async () => {
    const { meta } = await deriveKeys(link);
    const { sealedTitle, sealedProfile } = vector;
    await expect(openTitle(meta, sealedProfile)).rejects.toMatchObject({ fault: "authentication" });
    const damaged = `${sealedTitle.slice(0, 20)}AAAA${sealedTitle.slice(24)}`;
    await expect(openTitle(meta, damaged)).rejects.toMatchObject({ fault: "authentication" });
    await expect(openTitle(meta, "AAAA")).rejects.toMatchObject({ fault: "truncated" });
    await expect(openTitle(meta, "ä")).rejects.toMatchObject({ fault: "truncated" });
  });

  test("opens what was sealed here, under a nonce of its own each time", async () => {
    const { meta } = await deriveKeys(link);
    const twice = [await sealTitle(meta, "Tea\u202e"), await sealTitle(meta, "Tea")];
    expect(twice[0]).not.toBe(twice[1]);
    expect(await openTitle(meta, twice[0] ?? "")).toBe("Tea");
  });

  test("is its host link without what makes a host", () => {
    const host = parseLink(vector.hostLink);
    expect(hex(host.hostSeed)).toBe(vector.hostSeedBytes);
    expect(formatLink(host)).toBe(vector.link);
    expect(formatHostLink(link, host.hostSeed ?? new Uint8Array())).toBe(vector.hostLink);
  });

  test("names a constitution as this client writes it", async () => {
    const { hostSeed } = parseLink(vector.hostLink);
    const hostKey = await hostKeys().adopt(link.id, hostSeed ?? new Uint8Array());
    expect(hex(fromBase64Url(hostKey))).toBe(vector.hostKeyBytes);
    const { mode, nodeKey, jurisdictions } = JSON.parse(vector.policy);
    const joinBeforeHost = false;
    const founding = { meeting: link.id, mode, joinBeforeHost, hostKey, nodeKey, jurisdictions };
    expect(writeConstitution(founding)).toBe(vector.policy);
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
    makeLink("https://localhost", drawMeetingId(), "{}"),
    makeLink("https://localhost", drawMeetingId(), "{}"),
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

  test("makes a host, and keeps nothing that could make another", async () => {
    sessionStorage.clear();
    const { hostLink, hostSeedBytes, hostKeyBytes } = vectors.links[0] ?? {};
    const keys = hostKeys();
    const tab = openTab(sessionStorage, hostLink ?? "");
    const link = claimLink(tab, keys);
    expect(link).not.toHaveProperty("hostSeed");
    expect(tab.shown()).not.toContain("#");
    const seed = hostLink?.split(".").at(-1) ?? "";
    expect(fromBase64Url(seed)).toBeDefined();
    expect(hex(fromBase64Url(seed))).toBe(hostSeedBytes);
    expect(JSON.stringify([...Object.entries(sessionStorage)])).not.toContain(seed);
    expect(claimLink(tab, keys)).toEqual(link);
    const publicKey = toBase64Url(Uint8Array.from(hostKeyBytes?.match(/../g) ?? [], fromHex));
    const key = await keys.find(link.id, publicKey);
    expect(key?.extractable).toBe(false);
    expect(await keys.find(link.id, "another")).toBeUndefined();
  });

  test("makes a host of who pasted it, too", async () => {
    sessionStorage.clear();
    const { hostLink = "", policy = "" } = vectors.links[0] ?? {};
    const keys = hostKeys();
    const link = keepLink(parseLink(hostLink), sessionStorage, keys);
    expect(link).not.toHaveProperty("hostSeed");
    expect(await keys.find(link.id, JSON.parse(policy).hostKey)).toBeDefined();
  });

  test("is gone after leaving", () => {
    sessionStorage.clear();
    const tab = openTab(sessionStorage, text);
    forgetLink(claimLink(tab).id, sessionStorage);
    expect(() => claimLink(tab)).toThrow(expect.objectContaining({ part: "noFragment" }));
  });
});
