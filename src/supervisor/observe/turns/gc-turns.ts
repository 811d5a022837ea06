/**
 * Whose garbage collections are observed. Node tells of each one in JavaScript, which takes a process that seldom runs longer than
 * most collections do: so of many workers on few processors only some are observed at a time, and what they tell counts for the
 * rest of the time, too. Pure.
 */

/** Of all workers, for each processor: so many are observed all the time. */
const MOST_ALWAYS = 8;
/** Where there are more: at a time. */
const MOST_IN_TURN = 4;

interface Turn {
  /** When it was asked last, in milliseconds, and how many times each collection counts since. */
  askedAt: number;
  weight: number;
  /** In how many turns they were then. */
  turns: number;
  /** How many questions until its first turn, -1 after it: not all that have begun together are observed together. */
  waits: number;
  /** For how long it should have been observed and was not; below 0 it was for longer. */
  dueMs: number;
}

export class GcTurns {
  readonly #processors: number;
  readonly #turns = new Map<number, Turn>();

  /** @param processors that the machine has for all workers */
  constructor(processors: number) {
    this.#processors = processors;
  }

  /**
   * A worker is asked, and hears how many times each of its collections counts until it is asked again; 0: it is not observed until
   * then. By what has been of it: questions may come at any distance, and those at even ones would meet a clock at the same place.
   *
   * @param workers how many there are
   * @param now in milliseconds, of a clock that does not go back
   */
  weight(worker: number, workers: number, now: number): number {
    const isAlways = workers <= MOST_ALWAYS * this.#processors;
    const turns = isAlways ? 1 : Math.ceil(workers / (MOST_IN_TURN * this.#processors));
    const turn = this.#turns.get(worker) ?? { askedAt: now, weight: 1, turns: 1, waits: -1, dueMs: 0 };
    this.#turns.set(worker, turn);
    // Those that were all observed, and those that are new, begin one after the other.
    if (turn.turns === 1 && turns > 1) turn.waits = worker % turns;
    else if (turn.waits >= turns) turn.waits = turns - 1;
    turn.turns = turns;
    // Until its first turn nothing is owed, nor where all are observed all the time.
    if (turn.waits >= 0 || turns === 1) turn.dueMs = 0;
    else turn.dueMs += (1 - turn.weight) * (now - turn.askedAt);
    turn.askedAt = now;
    turn.weight = turn.dueMs >= 0 && (turn.waits <= 0 || turns === 1) ? turns : 0;
    turn.waits = Math.max(-1, turn.waits - 1);
    return turn.weight;
  }

  gone(worker: number): void {
    this.#turns.delete(worker);
  }
}
