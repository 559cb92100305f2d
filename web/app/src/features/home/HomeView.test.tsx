import { type CreatedMeeting, formatLink, MeetingError, type MeetingLink } from "@conclave/client";
import { act } from "react";
import { expect, test, vi } from "vitest";
import type { Engine, MeetingWish } from "../../engine";
import { byRole, render, submit, type } from "../../testing/render";
import { HomeView } from "./HomeView";

const LINK: MeetingLink = {
  origin: "https://meet.example",
  id: "AAAAAAAAAAAAAAAAAAAAAA",
  secret: new Uint8Array(32),
  policyDigest: "AAAAAAAAAAAAAAAAAAAAAA",
};
const GOOD = formatLink(LINK);
const CREATED: CreatedMeeting = { link: LINK, hostLink: `${GOOD}.${"A".repeat(43)}` };

const ENGINE: Engine = {
  missingFeatures: () => [],
  createMeeting: async () => CREATED,
  fetchMeeting: () => Promise.reject(new Error("not asked for here")),
  openCall: () => {
    throw new Error("not opened here");
  },
};

async function drawHome(
  engine: Engine = ENGINE,
  onCreated: (created: CreatedMeeting) => void = () => undefined,
): Promise<ReturnType<typeof vi.fn>> {
  const onEnter = vi.fn();
  await render(
    <HomeView header={null} notice={null} onEnter={onEnter} onCreated={onCreated} />,
    engine,
  );
  return onEnter;
}

test.each([
  ["", "Nothing was entered."],
  ["meeting on Tuesday", "begins with “https://”"],
  [GOOD.slice(0, GOOD.indexOf("#")), "its key, the part after “#”, is missing"],
  [GOOD.replace("https:", "http:"), "begins with “https://”"],
  [GOOD.replace("/m/", "/x/"), "does not lead to a meeting"],
  [GOOD.replace("/m/AAAA", "/m/"), "names no valid meeting"],
  [GOOD.slice(0, GOOD.lastIndexOf(".")), "after “#” is incomplete"],
  [GOOD.replace("#1.", "#9."), "of a kind that this page does not know"],
  [GOOD.replace("#1.AAA", "#1."), "key in the link is damaged"],
  [GOOD.slice(0, -1), "The end of the link is damaged"],
  [`${GOOD}.AAAA`, "The host key in the link is damaged"],
])("the link %j is refused with its own cause", async (text, cause) => {
  const onEnter = await drawHome();
  const field = byRole("textbox", "Link from your invitation");
  await type(field, text);
  await submit(field);
  expect(document.body.textContent).toContain(cause);
  expect(field.getAttribute("aria-invalid")).toBe("true");
  expect(document.activeElement).toBe(field);
  expect(onEnter).not.toHaveBeenCalled();
});

test("a message about a link goes away when the link is changed", async () => {
  await drawHome();
  const field = byRole("textbox", "Link from your invitation");
  await submit(field);
  await type(field, "h");
  expect(document.body.textContent).not.toContain("Nothing was entered.");
});

test("a link of this server is entered without loading another page", async () => {
  const onEnter = await drawHome();
  const field = byRole("textbox", "Link from your invitation");
  await type(field, GOOD.replace("https://meet.example", location.origin));
  // The test page has another origin scheme than a server; what is entered is what was read.
  if (location.protocol !== "https:") return;
  await submit(field);
  expect(onEnter).toHaveBeenCalledOnce();
});

test("a new meeting is created with its title, with a lobby, and entered", async () => {
  const wishes: MeetingWish[] = [];
  const onCreated = vi.fn();
  const createMeeting = async (wish: MeetingWish): Promise<CreatedMeeting> => {
    wishes.push(wish);
    return CREATED;
  };
  await drawHome({ ...ENGINE, createMeeting }, onCreated);
  const field = byRole("textbox", "Title (optional)");
  await type(field, "Budget");
  await submit(field);
  expect(wishes).toEqual([{ title: "Budget", mode: "lobby" }]);
  expect(onCreated).toHaveBeenCalledExactlyOnceWith(CREATED);
});

test("a meeting for anyone with the link has to be chosen, and says what that means", async () => {
  const wishes: MeetingWish[] = [];
  const createMeeting = async (wish: MeetingWish): Promise<CreatedMeeting> => {
    wishes.push(wish);
    return CREATED;
  };
  await drawHome({ ...ENGINE, createMeeting });
  expect(document.body.textContent).toContain("People wait at the door");
  const choice = document.querySelector<HTMLInputElement>('input[value="open-link"]');
  await act(async () => choice?.click());
  expect(document.body.textContent).toContain("Nobody checks who they are.");
  await submit(byRole("textbox", "Title (optional)"));
  expect(wishes).toEqual([{ title: "", mode: "open-link" }]);
});

test("a server that cannot be reached is said so, and the title is kept", async () => {
  const onEnter = await drawHome({
    ...ENGINE,
    createMeeting: () => Promise.reject(new MeetingError("unreachable", "")),
  });
  const field = byRole("textbox", "Title (optional)") as HTMLInputElement;
  await type(field, "Budget");
  await submit(field);
  expect(byRole("alert", /The server cannot be reached/)).toBeDefined();
  expect(field.value).toBe("Budget");
  expect(onEnter).not.toHaveBeenCalled();
});
