/** What this process may use of the machine: all of it, or what its control group leaves of it. */
import { availableParallelism, totalmem } from 'node:os';
import { readCgroupLimits } from './checks/cgroup.js';

/**
 * Never throws.
 *
 * @param root where the root of the file system is
 */
export function readResources(root = '/'): { processors: number; memoryBytes: number } {
  const { cpus, memoryBytes } = readCgroupLimits(root);
  return {
    processors: usableProcessors(cpus, availableParallelism()),
    memoryBytes: Math.min(memoryBytes ?? Number.POSITIVE_INFINITY, totalmem()),
  };
}

/**
 * How many workers a quota of processor time can keep busy. Rounded down, at least one: with 2 workers on a quota of 1.5 the
 * kernel stops both, and every connection with them, for a quarter of each period once they are busy; with one, the half
 * that is left over is for the garbage collector's threads and the supervisor. Node's own os.availableParallelism rounds
 * that way too, from libuv 1.49 on, so the answer is the same on every version of Node.
 *
 * @param quota in processors; null for none
 */
export function usableProcessors(quota: number | null, processors: number): number {
  return Math.max(1, Math.min(processors, Math.floor(quota ?? processors)));
}
