/**
 * A walk through every view of the app, in one window: for checks that hold in all of them.
 * @module
 */

import type { ChromiumTab } from "./chromium.ts";
import { walkGroupViews } from "./groupViews.ts";
import { createMeeting } from "./meeting.ts";
import { fill, inEnglish, Person, type Say } from "./person.ts";
import { catalogue } from "./po.ts";
import type { OpenOptions, Stage } from "./stage.ts";
import { appears, disappears, visibleText } from "./tab.ts";
import { until } from "./until.ts";

/** How to walk. */
export interface WalkOptions extends OpenOptions {
  /** The interface's language, if not English. */
  readonly language?: string;
  /** Also the calls of twenty and with a shared screen, which take longest. */
  readonly large?: boolean;
}

/** Looks at a view while it is open. */
export type Visit = (view: string, tab: ChromiumTab) => Promise<void>;

/** Shows each view in turn. */
export async function walkViews(stage: Stage, options: WalkOptions, visit: Visit): Promise<void> {
  const say = speaker(options.language);
  const server = await stage.server();
  const link = await createMeeting(
    server,
    options.language === undefined ? "Budget review" : "2027",
  );
  const open = { colour: "blue", ...options } as const;
  const tab = await stage.openChromium({ label: "walker", ...open });
  const reads = (english: string) =>
    until(`"${english}" to be read`, async () => (await visibleText(tab)).includes(say(english)));

  await tab.goto(server.url);
  await appears(tab, "button", say("Start a meeting"));
  await visit("home", tab);
  await tab.fill(say("Link from your invitation"), server.url);
  await tab.click("button", say("Go to the meeting"));
  await reads("The link ends too early: its key, the part after “#”, is missing.");
  await visit("home-bad-link", tab);

  await tab.goto(link.replace(/\/m\/[^#]+/, "/m/AAAAAAAAAAAAAAAAAAAAAA"));
  await reads("There is no such meeting.");
  await visit("unknown-meeting", tab);
  await tab.goto("about:blank");
  await tab.goto(link.slice(0, -4));
  await reads("The end of the link is damaged.");
  await visit("damaged-link", tab);

  const old = await stage.openChromium({
    label: "old browser",
    ...open,
    initScripts: [() => void Reflect.deleteProperty(globalThis, "RTCRtpScriptTransform")],
  });
  await old.goto(link);
  await until("the old browser to be told", async () =>
    (await visibleText(old)).includes(say("This browser cannot protect calls from end to end")),
  );
  await visit("unsupported-browser", old);
  await old.close();

  await tab.goto("about:blank");
  await tab.goto(link);
  const ada = Person.at(tab, "Ada Lovelace", say);
  await ada.isBeforeCall();
  await tab.fill(say("Your name"), ada.name);
  await until("the preview", () =>
    tab.evaluate(() => (document.querySelector("video")?.videoWidth ?? 0) > 0),
  );
  await visit("before-call", tab);

  await ada.join();
  await visit("call-alone", tab);
  const bot = stage.bot(link);
  await ada.hasMediaOf(1);
  await visit("call-two", tab);
  const bots = stage.bot(link, { count: 4 });
  await ada.hasMediaOf(5);
  await visit("call-six", tab);
  if (options.large === true) {
    const crowd = stage.bot(link, { count: 14 });
    await ada.countsPeople(20);
    await ada.seesAllMove();
    await visit("call-twenty", tab);
    await crowd.leave();
    await ada.countsPeople(6);
    await ada.toggleShare();
    await until("the own screen", async () =>
      (await ada.tiles()).some(({ kind }) => kind === "screen"),
    );
    await visit("call-sharing", tab);
    await ada.toggleShare();
    const ben = await Person.enter(stage, "chromium", link, {
      name: "Ben",
      colour: "magenta",
      screen: "yellow",
    });
    await ben.toggleShare();
    await ada.screenOf("Ben");
    await visit("call-screen", tab);
    await ben.leave();
    await ben.tab.close();
    await ada.countsPeople(6);
  }
  await ada.togglePeople();
  await appears(tab, "button", say("Close"));
  await visit("people", tab);
  await tab.click("button", say("Close"));
  for (const title of ["Settings", "Keyboard shortcuts"] as const) {
    await ada.openDialog(title);
    await visit(title === "Settings" ? "settings" : "help", tab);
    await tab.press("Escape");
    await disappears(tab, "dialog", say(title));
    // Until it has left the page it gives the focus back to where it was opened.
    await until("the dialog to leave", () =>
      tab.evaluate(() => document.querySelector("[role=dialog], [inert]") === null),
    );
  }
  await ada.press("More");
  await appears(tab, "menuitem", say("Settings"));
  await visit("menu", tab);
  await tab.press("Escape");
  await disappears(tab, "menuitem", say("Settings"));
  await Promise.all([bot.leave(), bots.leave()]);
  await ada.leave();
  await visit("ended", tab);
  await walkGroupViews(stage, open, say, visit);
}

/** What the interface says in a language for an English message. */
export function speaker(language: string | undefined): Say {
  if (language === undefined) return inEnglish;
  const messages = catalogue(language);
  return (english, values = {}) => {
    const translation = messages.get(english);
    if (translation === undefined) throw new Error(`no message "${english}" in the catalogue`);
    return fill(translation === "" ? english : translation, values);
  };
}
