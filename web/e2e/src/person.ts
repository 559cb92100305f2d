/**
 * A person in a browser, as far as the interface lets one be seen: by roles and accessible names.
 * @module
 */

import { type Colour, nearestColour } from "./colour.ts";
import type { MediaStats } from "./probe.ts";
import type { OpenOptions, Stage } from "./stage.ts";
import { appears, type BrowserName, stats, type Tab, visibleText } from "./tab.ts";
import { type Patience, until } from "./until.ts";

/** Who comes, and how. */
export interface PersonOptions extends OpenOptions {
  readonly name: string;
  /** What the interface says for an English message, where it does not speak English. */
  readonly say?: Say;
}

/** What stands in the place of a message's placeholders. */
export type Values = Readonly<Record<string, string | number>>;

/** What the interface says for an English message, with its placeholders filled in. */
export type Say = (english: string, values?: Values) => string;

/** What an English interface says. */
export const inEnglish: Say = (english, values = {}) => fill(english, values);

/** Fills in the placeholders of a message. */
export function fill(message: string, values: Values): string {
  return message.replaceAll(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** One tile of the call view. */
export interface Tile {
  readonly participant: string;
  /** What it is for: somebody's `camera` or `screen`, or the person's own picture (`self`). */
  readonly kind: string;
  readonly state: string;
  readonly muted: boolean;
  /** Its accessible name. */
  readonly label: string;
  readonly width: number;
  /** Frames that its picture has shown since it was first looked at; `undefined` without one. */
  readonly frames: number | undefined;
  readonly colour: Colour | undefined;
}

/** A person in a browser. */
export class Person {
  readonly tab: Tab;
  readonly name: string;
  /** What the person's interface says for an English message. */
  readonly say: Say;

  private constructor(tab: Tab, name: string, say: Say) {
    this.tab = tab;
    this.name = name;
    this.say = say;
  }

  /** The person in front of a page that a test opened. */
  static at(tab: Tab, name: string, say: Say = inEnglish): Person {
    return new Person(tab, name, say);
  }

  /** Opens `link` in a browser, up to the view before the call. */
  static async arrive(
    stage: Stage,
    browser: BrowserName,
    link: string,
    options: PersonOptions,
  ): Promise<Person> {
    const tab = await stage.open(browser, { label: options.name, ...options });
    await tab.goto(link);
    const person = Person.at(tab, options.name, options.say);
    await person.isBeforeCall();
    return person;
  }

  /** Opens `link` and joins. */
  static async enter(
    stage: Stage,
    browser: BrowserName,
    link: string,
    options: PersonOptions,
  ): Promise<Person> {
    const person = await Person.arrive(stage, browser, link, options);
    await person.join();
    return person;
  }

  async isBeforeCall(patience?: Patience): Promise<void> {
    await appears(this.tab, "textbox", this.say("Your name"), patience);
  }

  /** From the view before the call into it. */
  async join(): Promise<void> {
    await this.pressJoin();
    await this.isInCall();
  }

  /** Enters the name and presses Join. */
  async pressJoin(): Promise<void> {
    await this.#enterName();
    // The door is named by whether there is a camera or a microphone.
    const doors = ["Join the meeting", "Join to watch and listen"].map((door) => this.say(door));
    await until(`${this.name} to press Join`, async () => {
      for (const door of doors) {
        if (!(await this.tab.shows("button", door))) continue;
        await this.tab.click("button", door);
        return true;
      }
      return false;
    });
  }

  async #enterName(): Promise<void> {
    const field = this.say("Your name");
    // What is typed while the page still starts may be lost.
    await until(`"${this.name}" to stand in the field`, async () => {
      await this.tab.fill(field, this.name);
      return this.tab.evaluate(
        (name) => [...document.querySelectorAll("input")].some(({ value }) => value === name),
        this.name,
      );
    });
  }

  async isInCall(patience?: Patience): Promise<void> {
    await appears(this.tab, "button", this.say("Leave the meeting"), patience);
  }

  async leave(): Promise<void> {
    await this.press("Leave the meeting");
    await this.hasLeft();
  }

  async hasLeft(patience?: Patience): Promise<void> {
    await appears(this.tab, "button", this.say("Join again"), patience);
  }

  /**
   * After a reload: into the call again, by itself or with one click. `meanwhile` is done again and
   * again until then.
   */
  async comesBack(meanwhile: () => Promise<void> = async () => {}): Promise<void> {
    let hasClicked = false;
    await until(
      `${this.name} to be back in the call`,
      async () => {
        if (await this.tab.shows("button", this.say("Leave the meeting"))) return true;
        await meanwhile();
        if (!hasClicked) hasClicked = await this.tab.evaluate(clickIfThere, "form [type=submit]");
        return false;
      },
      { timeoutMs: 90_000, everyMs: 250 },
    );
  }

  /** Presses the button of this English name. */
  async press(button: string, values?: Values): Promise<void> {
    await this.tab.click("button", this.say(button, values));
  }

  /** Waits until the interface counts so many people in the call, this one included. */
  async countsPeople(count: number, patience?: Patience): Promise<void> {
    await this.#peopleButton(count, patience);
  }

  /** Opens or closes the list of people. */
  async togglePeople(): Promise<void> {
    await this.tab.click("button", await this.#peopleButton());
  }

  /** The name of the button that counts the people; of that very count, if one is wanted. */
  #peopleButton(count?: number, patience?: Patience): Promise<string> {
    const messages = [
      "People, {count} in the call",
      "People, {count} in the call, {knocks} asking to come in",
    ];
    const patterns = messages.map((message) => {
      const parts = this.say(message, { count: "\0", knocks: "\n" }).split(/([\0\n])/);
      const source = parts.map((part) => {
        if (part === "\0") return count ?? "\\d+";
        return part === "\n" ? "\\d+" : part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
      });
      return `^${source.join("")}$`;
    });
    return until(
      `${this.name} to see ${count ?? "the number of"} people counted`,
      () =>
        this.tab.evaluate(
          (patterns) =>
            [...document.querySelectorAll("button[aria-label]")]
              .map((button) => button.getAttribute("aria-label") ?? "")
              .find((label) => patterns.some((pattern) => new RegExp(pattern).test(label))),
          patterns,
        ),
      patience,
    );
  }

  /** Starts to share the screen, or stops. */
  async toggleShare(): Promise<void> {
    if (await this.tab.shows("button", this.say("Share your screen"))) {
      await this.press("Share your screen");
      return;
    }
    const isSharing = await this.tab.shows("button", this.say("Stop sharing"));
    await this.choose("More", isSharing ? "Stop sharing" : "Share your screen");
  }

  /** Opens the menu of this English name and takes the item of that one. */
  async choose(menu: string, item: string, values?: Values): Promise<void> {
    await this.press(menu, values);
    await this.tab.click("menuitem", this.say(item));
  }

  /** Opens the menu of this English name and takes the device of that name. */
  async chooseDevice(menu: string, device: string): Promise<void> {
    await this.press(menu);
    await this.tab.click("menuitemradio", device);
  }

  /** What the person sends at the moment: the names of the devices. */
  sends(kind: "audio" | "video"): Promise<string[]> {
    return this.tab.evaluate(
      (wanted) =>
        conclaveProbe.peers
          .filter(({ connectionState }) => connectionState === "connected")
          .flatMap((peer) => peer.getSenders())
          .flatMap(({ track }) => (track?.kind === wanted ? [track.label] : [])),
      kind,
    );
  }

  /** Opens a dialog from the menu: `Settings` or `Keyboard shortcuts`. */
  async openDialog(title: "Settings" | "Keyboard shortcuts"): Promise<void> {
    await this.choose("More", title);
    await appears(this.tab, "dialog", this.say(title));
  }

  /** Waits until the person is told that the connection is interrupted. */
  async isToldOfReconnecting(patience?: Patience): Promise<void> {
    await until(
      `${this.name} to be told that the connection is interrupted`,
      async () => (await visibleText(this.tab)).includes("The connection is interrupted."),
      patience,
    );
  }

  /** Waits until an English message stands in the page. */
  async reads(english: string, patience?: Patience): Promise<void> {
    await until(
      `${this.name} to read "${english}"`,
      async () => (await visibleText(this.tab)).includes(this.say(english)),
      patience,
    );
  }

  /** The tiles in view, own one included. */
  async tiles(): Promise<Tile[]> {
    const tiles = await this.tab.evaluate(() =>
      [...document.querySelectorAll<HTMLElement>('[data-testid="tile"]')].map((tile) => {
        const video = tile.querySelector("video");
        return {
          participant: tile.dataset["participant"] ?? "",
          kind: tile.dataset["kind"] ?? "",
          state: tile.dataset["state"] ?? "",
          label: tile.getAttribute("aria-label") ?? "",
          muted: tile.querySelector('[role="img"].lucide-mic-off') !== null,
          width: tile.getBoundingClientRect().width,
          frames: video === null ? undefined : conclaveProbe.framesOf(video),
          rgb: video === null ? undefined : conclaveProbe.colourOf(video),
        };
      }),
    );
    return tiles.map(({ rgb, ...tile }) => ({
      ...tile,
      colour: rgb === undefined ? undefined : nearestColour(rgb),
    }));
  }

  /** The tiles of the others' faces. */
  async othersInView(): Promise<Tile[]> {
    return (await this.tiles()).filter(({ kind }) => kind === "camera");
  }

  /** Waits until the pictures of so many others, and no more, are in view and each has moved. */
  async hasMediaOf(count: number, patience?: Patience): Promise<void> {
    await this.#seesMoving(`${count} others`, (inView) => inView === count, patience);
  }

  /** Waits until every picture in view has moved. */
  async seesAllMove(): Promise<void> {
    await this.#seesMoving("all in view", () => true);
  }

  /**
   * Waits until each picture in view has moved since this was called. Not all at one moment: a
   * server on a busy machine may rest one for a while.
   */
  async #seesMoving(
    whom: string,
    isRightCount: (inView: number) => boolean,
    patience?: Patience,
  ): Promise<void> {
    const start = new Map<string, number>();
    const moved = new Set<string>();
    await until(
      `${this.name} to have moving pictures of ${whom}`,
      async () => {
        const tiles = await this.othersInView();
        for (const { participant, frames } of tiles) {
          if (frames === undefined) continue;
          const first = start.get(participant);
          if (first === undefined || frames < first) start.set(participant, frames);
          else if (frames >= first + 2) moved.add(participant);
        }
        const haveAllMoved = tiles.every(({ participant }) => moved.has(participant));
        return haveAllMoved && isRightCount(tiles.length);
      },
      { everyMs: 50, timeoutMs: 60_000, ...patience },
    );
  }

  /** The shared screen of `name`, once it shows a picture. */
  screenOf(name: string, patience?: Patience): Promise<Tile> {
    return until(
      `${this.name} to see the screen of ${name}`,
      async () =>
        (await this.tiles()).find(
          ({ kind, label, frames }) =>
            kind === "screen" && label.includes(name) && (frames ?? 0) > 0,
        ),
      patience,
    );
  }

  /** The tile that shows `name`, once there is one. */
  tileOf(name: string, patience?: Patience): Promise<Tile> {
    return until(
      `${this.name} to have a tile of ${name}`,
      async () => (await this.othersInView()).find(({ label }) => label === name),
      patience,
    );
  }

  /** Waits until the tile of `name` shows whether its microphone is off. */
  async seesMuted(name: string, muted: boolean, patience?: Patience): Promise<void> {
    await until(
      `${this.name} to see ${name} ${muted ? "muted" : "with a microphone"}`,
      async () => (await this.tileOf(name)).muted === muted,
      patience,
    );
  }

  /** Turns the page; `false` if there is no other. */
  async turnPage(towards: "Next page" | "Previous page"): Promise<boolean> {
    if (!(await this.tab.isEnabled("button", this.say(towards)))) return false;
    const before = JSON.stringify((await this.othersInView()).map((tile) => tile.participant));
    await this.press(towards);
    await until("other people in view", async () => {
      const now = (await this.othersInView()).map((tile) => tile.participant);
      return JSON.stringify(now) !== before;
    });
    return true;
  }

  /** Waits until the picture of `name` has this colour. */
  async sees(name: string, colour: Colour, patience?: Patience): Promise<void> {
    await until(
      `${this.name} to see ${name} in ${colour}`,
      async () => (await this.tileOf(name)).colour === colour,
      patience,
    );
  }

  /** Waits until `count` more frames have been decoded. */
  async decodes(count = 10, patience?: Patience): Promise<void> {
    await this.#grows("frames to decode", ({ framesDecoded }) => framesDecoded, count, patience);
  }

  /** Waits until sound has come in: its energy grows. */
  async hears(patience?: Patience): Promise<void> {
    await this.#grows("something to hear", ({ audioEnergy }) => audioEnergy, 1e-4, patience);
  }

  async #grows(
    what: string,
    read: (stats: MediaStats) => number,
    by: number,
    patience?: Patience,
  ): Promise<void> {
    let least = Number.POSITIVE_INFINITY;
    await until(
      `${this.name} to get ${what}`,
      async () => {
        const now = read(await stats(this.tab));
        // A new connection counts from nothing.
        least = Math.min(least, now);
        return now >= least + by;
      },
      patience,
    );
  }
}

/**
 * Runs in the page: clicks what there is at this moment, which may be gone at the next one, and
 * tells whether it was there.
 */
export function clickIfThere(selector: string): boolean {
  const found = document.querySelector<HTMLElement>(selector);
  found?.click();
  return found !== null;
}
