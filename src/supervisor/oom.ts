/** Whether the kernel has killed for want of memory: tells an out-of-memory kill from any other SIGKILL. */
import { readFileSync } from 'node:fs';

/** Where the kernel counts: the own cgroup first (version 2, then 1), whose limit it usually is, then the whole machine. */
const COUNTERS = ['/sys/fs/cgroup/memory.events', '/sys/fs/cgroup/memory/memory.oom_control', '/proc/vmstat'];
const OOM_KILL = /^oom_kill (\d+)$/m;

export class OomWatch {
  readonly #read: () => number | null;
  #last: number | null;

  /** @param read the number of kills so far; null where it is not known */
  constructor(read: () => number | null = countKills) {
    this.#read = read;
    this.#last = read();
  }

  /** Whether the number has risen since the last question. */
  hasKilled(): boolean {
    const before = this.#last;
    this.#last = this.#read();
    return before !== null && this.#last !== null && this.#last > before;
  }
}

/** Of the own cgroup and of the machine together: a worker may have been moved to a cgroup of its own. */
export function countKills(): number | null {
  let sum: number | null = null;
  for (const file of COUNTERS) {
    try {
      const found = OOM_KILL.exec(readFileSync(file, 'utf8'));
      if (found !== null) sum = (sum ?? 0) + Number(found[1]);
    } catch {
      // Not on this system, or not for us to see.
    }
  }
  return sum;
}
