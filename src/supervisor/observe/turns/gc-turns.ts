/**
 * Whose garbage collections are observed. Node tells of each one in JavaScript, which takes a process that seldom runs longer than
 * most collections do: so of many workers on few processors only some are observed at a time, and what they tell counts for the
 * rest of the time, too. Pure.
 */

/** At a time, of all workers, for each processor. */
const MOST_OBSERVED = 8;
/** A worker hears of its turn when it is asked: a turn that were as short as the time between would pass some workers by for ever. */
const SHORTEST_TURN_MS = 10_000;
const QUESTIONS_A_TURN = 2;

export interface Crowd {
  readonly workers: number;
  /** That the machine has for all of them. */
  readonly processors: number;
  /** How many milliseconds pass between two questions to a worker. */
  readonly askedEveryMs: number;
}

/**
 * How many times each collection of a worker counts until it is asked again; 0: it is not observed until then.
 *
 * @param worker its number: of consecutive ones some are observed at any time
 * @param now in milliseconds, of a clock that does not go back
 */
export function gcWeight(worker: number, { workers, processors, askedEveryMs }: Crowd, now: number): number {
  const turns = Math.max(1, Math.ceil(workers / (MOST_OBSERVED * processors)));
  const turnMs = Math.max(SHORTEST_TURN_MS, QUESTIONS_A_TURN * askedEveryMs);
  return (worker + Math.floor(now / turnMs)) % turns === 0 ? turns : 0;
}
