/**
 * What workers leave behind. Each leads a process group, in a session of its own: when it has ended, whatever else is in the
 * group is asked to end, and killed after a time. Processes in a session of their own (`detached`) are no part of it.
 *
 * A number stands for a group as long as somebody is in it: no process is given it meanwhile. Afterwards any may be, and may lead
 * a group of that number: who is found under the number of a leader that has ended is somebody else.
 */
import type { ChildProcess } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Log } from '../../../logs/logger.js';
import type { WorkerHandle } from './handle.js';

/** From one look at who is left to the next: the first, and the longest. */
const LOOK_MS = 20;
const LONGEST_LOOK_MS = 500;
/** A process that has been killed may be stuck in the kernel: nobody waits longer for it. */
const KILLED_MS = 2_000;

interface Group {
  readonly worker: number;
  /** When who is left is killed; null once that has been done. */
  killAt: number | null;
  readonly lookNow: () => void;
}

type Of = Pick<WorkerHandle['identity'], 'worker' | 'slot' | 'generation'>;

export class ProcessGroups {
  readonly #log: Log;
  readonly #groups = new Set<Group>();
  readonly #watching = new Set<Promise<void>>();
  #atOnce = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /** The leader has ended, and its exit status has been taken. To be called at once. */
  ended({ pid: leader, identity, release }: Pick<WorkerHandle, 'pid' | 'identity' | 'release'>): void {
    const { keepChildren, killTimeoutMs } = release.config;
    if (keepChildren || leader === undefined) return;
    if (!signalLeftBehind(leader, this.#atOnce ? 'SIGKILL' : 'SIGTERM')) return;
    const { worker, slot, generation } = identity;
    const of = { worker, slot, generation };
    const hint = 'keepChildren: true leaves them';
    this.#log.logger.info({ ...of, killTimeoutMs, hint }, 'processes left behind are asked to end');
    const watching = this.#watch(leader, this.#atOnce ? 0 : killTimeoutMs, of);
    this.#watching.add(watching);
    void watching.finally(() => this.#watching.delete(watching));
  }

  /** From now on nobody is waited for. */
  killAll(): void {
    this.#atOnce = true;
    for (const group of this.#groups) killNow(group);
  }

  /** What that worker has left behind, if it has ended. */
  kill(worker: number): void {
    for (const group of this.#groups) if (group.worker === worker) killNow(group);
  }

  /** Resolves when nobody is left of all that have ended by then. Never rejects. */
  async gone(): Promise<void> {
    await Promise.all(this.#watching);
  }

  async #watch(leader: number, killTimeoutMs: number, of: Of): Promise<void> {
    let wake = (): void => {};
    const group: Group = { worker: of.worker, killAt: performance.now() + killTimeoutMs, lookNow: () => wake() };
    this.#groups.add(group);
    let killedAt = 0;
    for (let pauseMs = LOOK_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_LOOK_MS)) {
      const left = await membersOf(leader);
      if (left?.length === 0 || !signalLeftBehind(leader, 0)) break;
      const now = performance.now();
      if (group.killAt === null && now >= killedAt + KILLED_MS) break;
      if (group.killAt !== null && now >= group.killAt) {
        signalLeftBehind(leader, 'SIGKILL');
        this.#log.logger.warn({ ...of, killTimeoutMs, pids: left }, 'processes left behind are killed');
        group.killAt = null;
        killedAt = now;
        pauseMs = LOOK_MS;
      }
      const untilKill = group.killAt === null ? pauseMs : group.killAt - now;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(pauseMs, untilKill));
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#groups.delete(group);
  }
}

function killNow(group: Group): void {
  if (group.killAt !== null) group.killAt = 0;
  group.lookNow();
}

/** Kills a worker's group, whether the worker has ended or not. */
export function killGroup({ pid, exitCode, signalCode }: Pick<ChildProcess, 'pid' | 'exitCode' | 'signalCode'>): void {
  if (pid === undefined) return;
  if (exitCode === null && signalCode === null) signal(-pid, 'SIGKILL');
  else signalLeftBehind(pid, 'SIGKILL');
}

/**
 * @param leader has ended, and its exit status has been taken
 * @returns false where nobody is in its group any more, or nobody who may be signalled
 */
function signalLeftBehind(leader: number, name: NodeJS.Signals | 0): boolean {
  return !isTaken(leader) && signal(-leader, name);
}

/** Whether a process has that number, be it of another user. */
function isTaken(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function signal(target: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(target, name);
  } catch {
    return false;
  }
}

/**
 * Who is in the group and still runs: one that nobody waits for (a zombie) has ended, but can be signalled. See
 * proc_pid_stat(5) of Linux.
 *
 * @returns null where the system does not tell
 */
async function membersOf(leader: number): Promise<number[] | null> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  if (pids.length === 0) return null;
  const members: number[] = [];
  for (const pid of pids) {
    const stat = await readFile(path.join('/proc', pid, 'stat'), 'latin1').catch(() => '');
    const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (Number(group) === leader && state !== 'Z' && state !== 'X') members.push(Number(pid));
  }
  return members;
}
