/**
 * How often workers look how late their event loops are. Each look wakes a worker that sleeps, and of many workers on few
 * processors these looks would cost more than all other measuring. Pure.
 */

/** Of a worker that has a processor's quarter or more: often enough for each second to have its own median. */
const SHORTEST_MS = 50;
/** A loop that is blocked for longer is seen in any case. */
const LONGEST_MS = 500;
/** In a second, of all workers, for each processor. */
const MOST_LOOKS = 80;

/**
 * In milliseconds, in steps: a change of it costs what was looked at until then.
 *
 * @param workers how many there are
 * @param processors that the machine has for all of them
 */
export function loopResolutionMs(workers: number, processors: number): number {
  const exact = (1_000 * workers) / (MOST_LOOKS * processors);
  return Math.min(LONGEST_MS, Math.max(1, Math.ceil(exact / SHORTEST_MS)) * SHORTEST_MS);
}
