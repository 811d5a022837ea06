/**
 * When the next scrape is to be expected: who scrapes does it at even distances. So that it can be collected before it comes,
 * and is answered at once however many workers there are. Pure.
 */

/** Those that come quicker are somebody's at a terminal, or tests. */
const SHORTEST_MS = 900;
/** Two scrapers have two distances in turn. */
const MOST_SCRAPERS = 2;
/** How unequal distances may be that count as even. */
const UNEVEN_SHARE = 0.1;
const UNEVEN_MS = [100, 1_000] as const;

/** In milliseconds. */
interface Expected {
  readonly at: number;
  readonly distance: number;
  readonly unevenMs: number;
}

export class Rhythm {
  readonly #times: number[] = [];

  /** Somebody has scraped. @param at in milliseconds, of a clock that does not go back */
  scraped(at: number): void {
    this.#times.push(at);
    if (this.#times.length > 2 * MOST_SCRAPERS + 1) this.#times.shift();
  }

  /**
   * Whether a scrape comes within a time from now on, in milliseconds. One that is late is waited for as long as its distance may
   * be uneven.
   */
  expects(now: number, withinMs: number): boolean {
    return this.#next().some(({ at, unevenMs }) => at <= now + withinMs && now < at + unevenMs);
  }

  /** Whether somebody scrapes at even distances that are shorter than a time, in milliseconds. */
  isQuickerThan(ms: number): boolean {
    return this.#next().some(({ distance }) => distance < ms);
  }

  /** By the distances of one scraper, and of as many as are known. */
  #next(): Expected[] {
    const found: Expected[] = [];
    for (let scrapers = 1; scrapers <= MOST_SCRAPERS; scrapers++) {
      const [last, before, first] = [0, 1, 2].map((turn) => this.#times.at(-1 - turn * scrapers));
      if (last === undefined || before === undefined || first === undefined) return found;
      const distance = last - before;
      const unevenMs = Math.min(UNEVEN_MS[1], Math.max(UNEVEN_MS[0], distance * UNEVEN_SHARE));
      if (distance < SHORTEST_MS || Math.abs(before - first - distance) > unevenMs) continue;
      // Of each scraper the next one.
      for (let turn = 0; turn < scrapers; turn++) {
        found.push({ at: (this.#times.at(-1 - turn) ?? last) + distance, distance, unevenMs });
      }
    }
    return found;
  }
}
