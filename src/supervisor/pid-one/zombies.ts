/**
 * Reads from /proc which children of this process have ended and wait to be reaped; see proc_pid_stat(5) of Linux. Called
 * by reaper.ts alone. Never waits for any of them.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

export interface Zombie {
  readonly pid: number;
  /** When it began, in ticks of the system since boot: with the PID it is a name that no other process has. */
  readonly startedAt: string;
}

/** Whether /proc shows this process by the PID that it has: another PID namespace's would show strangers. */
export function seesItself(proc: string, pid: number): boolean {
  try {
    return readlinkSync(path.join(proc, 'self')) === String(pid);
  } catch {
    return false;
  }
}

/** The zombies among the children of process `parent`, as far as they can be read. Never rejects. */
export async function zombiesOf(parent: number, proc: string): Promise<Zombie[]> {
  const zombies: Zombie[] = [];
  for (const pid of await candidates(parent, proc)) {
    const zombie = parse(pid, parent, await readFile(path.join(proc, `${pid}/stat`), 'latin1').catch(() => ''));
    if (zombie !== null) zombies.push(zombie);
  }
  return zombies;
}

/** Whether it is still there and still waits; at once, so that nobody can reap it between the answer and what follows. */
export function isStillZombie({ pid, startedAt }: Zombie, parent: number, proc: string): boolean {
  try {
    return parse(pid, parent, readFileSync(path.join(proc, `${pid}/stat`), 'latin1'))?.startedAt === startedAt;
  } catch {
    return false;
  }
}

/**
 * Orphans are handed to the main thread. Where the kernel lists children by the thread that has them (CONFIG_PROC_CHILDREN),
 * only those are looked at: a child of a worker thread is none of the main thread's business while that thread lives. Elsewhere
 * its thread has no longer than the pause between two looks to wait for it; the supervisor starts none from a thread.
 */
async function candidates(parent: number, proc: string): Promise<number[]> {
  try {
    const list = await readFile(path.join(proc, `${parent}/task/${parent}/children`), 'latin1');
    return list.split(' ').filter(Boolean).map(Number);
  } catch {
    const names = await readdir(proc).catch(() => []);
    return names.filter((name) => /^\d+$/.test(name)).map(Number);
  }
}

/** The name is in parentheses and may have any character in it, parentheses and line ends included. */
function parse(pid: number, parent: number, stat: string): Zombie | null {
  const [state, ppid, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // starttime is the 22nd field; pid, comm, state and ppid are gone.
  const startedAt = fields[17];
  return state === 'Z' && Number(ppid) === parent && startedAt !== undefined ? { pid, startedAt } : null;
}
