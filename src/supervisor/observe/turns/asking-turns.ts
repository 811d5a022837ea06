/**
 * Whose turn it is to be asked what it has measured. To be asked takes a worker about a millisecond, and of many workers on few
 * processors that would be taken from those that are served: so they are asked by turns, a few in each second. Pure.
 */

/** In a second, of all workers, for each processor. */
const MOST_ASKED = 4;

/** Before all that have been asked more often. */
const ONCE = 0.5;

export class AskingTurns {
  readonly #most: number;
  /** In which second each was asked last; `ONCE` of who was asked once. */
  readonly #askedIn = new Map<number, number>();
  #second = 0;

  /** @param processors that the machine has for all of it */
  constructor(processors: number) {
    this.#most = processors * MOST_ASKED;
  }

  /** How many seconds pass until each of so many workers has been asked once. */
  seconds(workers: number): number {
    return Math.max(1, Math.ceil(workers / this.#most));
  }

  /**
   * Those whose turn it is in this second: who has never been asked first, then who has been asked once, as it takes two answers to
   * know a rate, then those that were asked longest ago.
   */
  choose(workers: readonly number[]): ReadonlySet<number> {
    this.#second += 1;
    const askedIn = (worker: number) => this.#askedIn.get(worker) ?? 0;
    const inTurn = [...workers].sort((a, b) => askedIn(a) - askedIn(b));
    const chosen = inTurn.slice(0, Math.ceil(workers.length / this.seconds(workers.length)));
    for (const worker of chosen) this.#askedIn.set(worker, this.#askedIn.has(worker) ? this.#second : ONCE);
    return new Set(chosen);
  }

  gone(worker: number): void {
    this.#askedIn.delete(worker);
  }
}
