/**
 * Whose application is asked for its own metrics at a scrape. To read a registry takes a worker some milliseconds, however little
 * has changed: of many workers, each second, it would take a tenth of the machine from those that are served. Pure.
 */

/** Of all processors; what has not been taken is saved up, so that one who looks now and then has everything anew. */
const SHARE = 0.01;
const MOST_SAVED_MS = 1_000;
/** Older than that is nobody, whatever it costs: at Prometheus' usual 15 s, with what it may be early, everything is new. */
const OLDEST_MS = 13_000;

interface Reading {
  readonly at: number;
  readonly costMs: number;
  readonly failed: boolean;
}

export class ReadingTurns {
  readonly #shareMs: number;
  readonly #readings = new Map<number, Reading>();
  #savedMs = MOST_SAVED_MS;
  #lookedAt = 0;

  /** @param processors that the machine has for all of it */
  constructor(processors: number) {
    this.#shareMs = processors * SHARE;
  }

  /**
   * Those whose turn it is, the oldest first. One that has told nothing yet is always among them.
   *
   * @param now in milliseconds, of a clock that does not go back
   */
  choose(workers: readonly number[], now: number): ReadonlySet<number> {
    this.#savedMs = Math.min(MOST_SAVED_MS, this.#savedMs + Math.max(0, now - this.#lookedAt) * this.#shareMs);
    this.#lookedAt = now;
    const readAt = (worker: number) => this.#readings.get(worker)?.at ?? Number.NEGATIVE_INFINITY;
    const chosen = new Set<number>();
    for (const worker of [...workers].sort((a, b) => readAt(a) - readAt(b))) {
      const costMs = this.#readings.get(worker)?.costMs ?? 0;
      if (costMs > this.#savedMs && now - readAt(worker) < OLDEST_MS) break;
      chosen.add(worker);
      this.#savedMs = Math.max(0, this.#savedMs - costMs);
    }
    return chosen;
  }

  /** @param costMs processor time that it took the worker */
  read(worker: number, reading: Reading): void {
    this.#readings.set(worker, reading);
  }

  gone(worker: number): void {
    this.#readings.delete(worker);
  }

  /** Of these workers: how old the oldest reading is, in milliseconds, and how many have failed. */
  summary(workers: readonly number[], now: number): { readonly ageMs: number; readonly failures: number } {
    const readings = workers.flatMap((worker) => this.#readings.get(worker) ?? []);
    const ages = readings.map(({ at }) => now - at);
    return { ageMs: Math.max(0, ...ages), failures: readings.filter(({ failed }) => failed).length };
  }
}
