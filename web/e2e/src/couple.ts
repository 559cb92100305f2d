/**
 * Two people who stay in a meeting while others come and leave.
 * @module
 */

import type { FrameCounts } from "@conclave/e2ee";

import { type Gap, gaps, watchPictures } from "./gaps.ts";
import { createMeeting } from "./meeting.ts";
import { Person } from "./person.ts";
import type { Server } from "./server.ts";
import type { Stage } from "./stage.ts";
import { type BrowserName, frameCounts, stats } from "./tab.ts";
import { FREEZE_MS, sum, type Tally } from "./tally.ts";
import { pause, until } from "./until.ts";

/** How long a visitor stays after it came in. */
const STAY_MS = 1500;

/** The longest that the place of someone who vanished may be kept. */
const PLACE_GONE_MS = 60_000;

/** Frames that each opens before anything is measured. */
const WARM_UP_FRAMES = 300;

/** The leaves of the couple, who were the first to come: newcomers take the free ones after them. */
const STAYERS = [0, 1] as const;

/** Who meets, and how they send their cameras. */
export interface Pair {
  /** The browsers of the two, in the order in which they come. */
  readonly browsers: readonly [BrowserName, BrowserName];
  readonly cameraCodec: "vp8" | "vp9";
}

/** What a report calls the two. */
export function nameOf({ browsers, cameraCodec }: Pair): string {
  return `${browsers.join(" and ")}${cameraCodec === "vp9" ? " with VP9" : ""}`;
}

/** How it was for one couple. */
export interface CoupleFindings extends Pair {
  readonly disturbed: Tally;
  readonly inPeace: Tally;
  /** What each saw of the other stand still, whenever it was. */
  readonly freezes: readonly Gap[];
  /** Frames that the two did not open, by reason: of one another, and of those who came. */
  readonly dropped: {
    readonly ofStayers: Readonly<Record<string, number>>;
    readonly ofVisitors: Readonly<Record<string, number>>;
  };
  readonly notSealed: Readonly<Record<string, number>>;
}

interface Turn {
  readonly isDisturbed: boolean;
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
  readonly visits: number;
  readonly opened: number;
}

/** Two people who stay in a meeting. */
export class Couple {
  readonly #pair: Pair;
  readonly #people: readonly [Person, Person];
  readonly #link: string;
  readonly #turns: Turn[] = [];
  /** What had been counted of each one's frames before the first turn. */
  #start: readonly FrameCounts[] = [];

  private constructor(pair: Pair, people: readonly [Person, Person], link: string) {
    this.#pair = pair;
    this.#people = people;
    this.#link = link;
  }

  /** Lets two people come to a new meeting. */
  static async meet(stage: Stage, server: Server, pair: Pair): Promise<Couple> {
    const { browsers } = pair;
    const link = await createMeeting(server);
    // Large enough for two layers, small enough for a machine of two cores.
    const camera = { cameraSize: [640, 360], size: [700, 500] } as const;
    const options = { ...camera, initScripts: [watchPictures] };
    const people = [
      await Person.enter(stage, browsers[0], link, { name: "Ada", colour: "red", ...options }),
      await Person.enter(stage, browsers[1], link, { name: "Ben", colour: "blue", ...options }),
    ] as const;
    return new Couple(pair, people, link);
  }

  /** Waits until the two see and hear each other, and have done so for a while. */
  async warmUp(): Promise<void> {
    const [first, second] = this.#people;
    await Promise.all([first.sees(second.name, "blue"), second.sees(first.name, "red")]);
    await Promise.all(this.#people.map((person) => this.#sendsAsTold(person)));
    await Promise.all([first.hears(), second.hears()]);
    await until(`${first.name} and ${second.name} to be warm`, async () => {
      const counts = await this.#counts();
      return counts.every(({ opened }) => opened >= WARM_UP_FRAMES);
    });
    this.#start = await this.#counts();
  }

  /**
   * For so long, people come and leave again, one at a time. The first one vanishes instead of
   * taking leave: the server keeps its place for some seconds. Ends when all are gone.
   */
  async isVisited(stage: Stage, ms: number): Promise<void> {
    const end = performance.now() + ms;
    await this.#turn(true, async () => {
      let visits = 0;
      while (performance.now() < end) {
        const visitor = stage.bot(this.#link, { args: ["--tiles", "2"], isElsewhere: true });
        await visitor.isIn({ everyMs: 100 });
        await pause(STAY_MS);
        visits += 1;
        await (visits === 1 ? visitor.kill() : visitor.leave());
      }
      const alone = { timeoutMs: PLACE_GONE_MS };
      await Promise.all(this.#people.map((person) => person.countsPeople(2, alone)));
      return visits;
    });
  }

  /** For so long, nobody comes. */
  async isLeftInPeace(ms: number): Promise<void> {
    await this.#turn(false, async () => {
      await pause(ms);
      return 0;
    });
  }

  async #turn(isDisturbed: boolean, run: () => Promise<number>): Promise<void> {
    const [from, before] = [Date.now(), await this.#counts()];
    const visits = await run();
    const [to, after] = [Date.now(), await this.#counts()];
    const opened = total(after) - total(before);
    this.#turns.push({ isDisturbed, from, to, visits, opened });
  }

  /** What became of the turns so far. */
  async findings(): Promise<CoupleFindings> {
    const [first, second] = this.#people;
    const found = [
      ...(await gaps(first.tab)).filter(({ name }) => name === second.name),
      ...(await gaps(second.tab)).filter(({ name }) => name === first.name),
    ];
    const tally = (wanted: boolean) =>
      sum(
        this.#turns
          .filter(({ isDisturbed }) => isDisturbed === wanted)
          .map((turn) => tallyOf(turn, found)),
      );
    const counts = await this.#counts();
    const ofStayers: Record<string, number> = {};
    const ofVisitors: Record<string, number> = {};
    const notSealed: Record<string, number> = {};
    for (const [i, now] of counts.entries()) {
      const before = this.#start[i];
      const stayers = STAYERS.map((leaf) => grown(before?.droppedOf[leaf], now.droppedOf[leaf]));
      for (const dropped of stayers) add(ofStayers, dropped);
      add(ofVisitors, grown(before?.dropped, now.dropped));
      add(notSealed, grown(before?.notSealed, now.notSealed));
    }
    return {
      ...this.#pair,
      disturbed: tally(true),
      inPeace: tally(false),
      freezes: found.filter(({ ms }) => ms > FREEZE_MS),
      dropped: { ofStayers, ofVisitors: grown(ofStayers, ofVisitors) },
      notSealed,
    };
  }

  /** Waits until the person's camera comes in the codec that is measured. */
  async #sendsAsTold({ name, tab }: Person): Promise<void> {
    const wanted = `video/${this.#pair.cameraCodec.toUpperCase()}`;
    await until(`${name} to send ${wanted}`, async () => {
      const { sent } = await stats(tab);
      const live = sent.filter(({ framesEncoded }) => framesEncoded > 0);
      return live.length > 0 && live.every(({ codec }) => codec === wanted);
    });
  }

  #counts(): Promise<FrameCounts[]> {
    return Promise.all(this.#people.map(({ tab }) => frameCounts(tab)));
  }
}

/** A gap is of the turn that it began in. */
function tallyOf({ from, to, visits, opened }: Turn, found: readonly Gap[]): Tally {
  const within = found.filter(({ sinceMs }) => sinceMs >= from && sinceMs < to);
  const freezes = within.filter(({ ms }) => ms > FREEZE_MS);
  return {
    seconds: (to - from) / 1000,
    visits,
    opened,
    freezes: freezes.length,
    frozenMs: freezes.reduce((sum, { ms }) => sum + ms, 0),
    longestGapMs: Math.max(0, ...within.map(({ ms }) => ms)),
  };
}

function total(counts: readonly FrameCounts[]): number {
  return counts.reduce((sum, { opened }) => sum + opened, 0);
}

type Reasons = Readonly<Record<string, number>>;

/** By how much each count has grown; those alone that have. */
function grown(before: Reasons = {}, now: Reasons = {}): Record<string, number> {
  const growth = Object.entries(now).map(
    ([why, count]) => [why, count - (before[why] ?? 0)] as const,
  );
  return Object.fromEntries(growth.filter(([, by]) => by > 0));
}

function add(sums: Record<string, number>, more: Reasons): void {
  for (const [why, count] of Object.entries(more)) sums[why] = (sums[why] ?? 0) + count;
}
