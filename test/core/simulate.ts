/** Random courses of things, each from a seed that repeats it. */
import fc from 'fast-check';

const { SIMULATION_RUNS, SIMULATION_SEED, SIMULATION_PATH } = process.env;

/**
 * Tries a property with many random values.
 *
 * It ends with the first failure and prints its seed and path, which `SIMULATION_SEED` and `SIMULATION_PATH` repeat. To find
 * the shortest course with the same fault can take longer than a test may: that is done where the seed alone is given.
 *
 * @param usual how many values, where `SIMULATION_RUNS` does not say it
 * @param share of either, where each value takes long
 * @returns how many there were
 */
export function simulate<T>(property: fc.IProperty<T>, usual: number, share = 1): number {
  const numRuns = Math.ceil(Number(SIMULATION_RUNS ?? usual) * share);
  fc.assert(property, {
    numRuns,
    endOnFailure: SIMULATION_SEED === undefined,
    ...(SIMULATION_SEED !== undefined && { seed: Number(SIMULATION_SEED) }),
    ...(SIMULATION_PATH !== undefined && { path: SIMULATION_PATH }),
  });
  return numRuns;
}
