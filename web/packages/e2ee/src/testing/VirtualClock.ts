interface Timer {
  readonly at: number;
  readonly then: () => void;
}

/** Time that passes when a test says so. */
export class VirtualClock {
  #now = 1000;
  #timers: Timer[] = [];

  now = (): number => this.#now;

  after = (ms: number, then: () => void): (() => void) => {
    const timer = { at: this.#now + ms, then };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  };

  /** Lets time pass, and all that is due happen in order. */
  async pass(ms: number): Promise<void> {
    const until = this.#now + ms;
    await settled();
    for (;;) {
      const [next] = this.#timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at);
      if (!next) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#now = Math.max(this.#now, next.at);
      next.then();
      await settled();
    }
    this.#now = until;
  }

  /** Lets time pass until something holds; fails after a virtual minute. */
  async until<Value>(what: () => Value | undefined | false | null): Promise<Value> {
    for (let passed = 0; passed < 60_000; passed += 20) {
      await settled();
      const value = what();
      if (value) return value;
      await this.pass(20);
    }
    throw new Error(`never came: ${what.toString()}`);
  }
}

/** Messages on their way, and the browser's cryptography, are done. */
function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}
