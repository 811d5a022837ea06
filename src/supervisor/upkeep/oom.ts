/**
 * Whether the kernel has killed for want of memory: tells an out-of-memory kill from any other SIGKILL. Asked by the
 * workforce when a worker has gone. Only reads: limits are not holdfast's to set.
 */
import { readFileSync } from 'node:fs';

const MACHINE = '/proc/vmstat';
const OOM_KILL = /^oom_kill (\d+)$/m;

export class OomWatch {
  readonly #read: () => number | null;
  #last: number | null;

  /** @param read the number of kills so far; null where it is not known */
  constructor(read: () => number | null = () => countKills()) {
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

/**
 * Kills in the own cgroup, which the workers are in as well; where there is none that counts, on the whole machine. Not
 * both together: another container's kill must not be taken for one of ours.
 *
 * The kernel counts a process in its own cgroup, whatever limit it was killed for; version 2 in all that lie above it too
 * (cgroup-v2.rst, memory.events).
 *
 * @param readFile gives a file's text, or throws
 * @returns null where the system does not tell
 */
export function countKills(readFile: (file: string) => string = read): number | null {
  for (const file of [...ownCounters(readFile), MACHINE]) {
    const found = OOM_KILL.exec(textOf(file, readFile))?.[1];
    if (found !== undefined) return Number(found);
  }
  return null;
}

/** Each first where the process sees itself (cgroups(7)), then at the root, which is the own one in most containers. */
function ownCounters(readFile: (file: string) => string): string[] {
  const files: string[] = [];
  for (const line of textOf('/proc/self/cgroup', readFile).split('\n')) {
    const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (path === '') continue;
    const isVersion2 = controllers === '';
    if (!isVersion2 && !controllers.split(',').includes('memory')) continue;
    const root = isVersion2 ? '/sys/fs/cgroup' : '/sys/fs/cgroup/memory';
    const name = isVersion2 ? 'memory.events' : 'memory.oom_control';
    files.push(`${root}${path === '/' ? '' : path}/${name}`, `${root}/${name}`);
  }
  return files;
}

/** Empty where it is not on this system, or not for us to see. */
function textOf(file: string, readFile: (file: string) => string): string {
  try {
    return readFile(file);
  } catch {
    return '';
  }
}

function read(file: string): string {
  return readFileSync(file, 'utf8');
}
