/**
 * Whose garbage collections are observed. Node tells of each one in JavaScript, which takes a process that seldom runs longer than
 * most collections do: so of many workers on few processors only some are observed at a time, and what they tell counts for the
 * rest of the time, too. Pure.
 */

/** At a time, of all workers, for each processor. */
const MOST_OBSERVED = 8;
/** Longer than it takes to ask everybody, so that each has its turn. */
const TURN_MS = 10_000;

/**
 * How many times each collection of a worker counts until it is asked again; 0: it is not observed until then.
 *
 * @param worker its number: of consecutive ones some are observed at any time
 * @param workers how many there are
 * @param processors that the machine has for all of them
 * @param now in milliseconds, of a clock that does not go back
 */
export function gcWeight(worker: number, workers: number, processors: number, now: number): number {
  const turns = Math.max(1, Math.ceil(workers / (MOST_OBSERVED * processors)));
  return (worker + Math.floor(now / TURN_MS)) % turns === 0 ? turns : 0;
}
