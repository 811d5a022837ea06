/**
 * Reaps what nobody else will: as PID 1 of a container this process inherits every process whose parent has ended, and
 * each that ends stays in the process table until it is waited for. Called by run.ts and several.ts. Must never take an exit status away
 * from Node, which waits for the children that it has started itself, each by its PID.
 *
 * A zombie of Node's own is waited for in the next turn of the event loop, since the same SIGCHLD wakes Node up. So who is
 * still there after a whole further turn and a second is nobody's. Both are needed: a supervisor that was stopped
 * (SIGSTOP) or kept busy finds its timers due before it has heard of the signals.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { NativeLoad } from '../../native/libc.js';
import { isStillZombie, seesItself, type Zombie, zombiesOf } from './zombies.js';

/** From a SIGCHLD to the look at who it was, and from there to the next; also how often at most. */
const PAUSE_MS = 1_000;
const NO_REAPER = 'processes that the application leaves behind stay in the process table when they end';

export type OrphanDuty =
  | { readonly duty: 'reap' | 'none' }
  | { readonly duty: 'warn'; readonly reason: string; readonly hint: string };

/** Who has to reap orphans, on what is known of the process. */
export function orphanDuty(facts: {
  readonly pid: number;
  readonly native: { readonly ok: boolean; readonly reason?: string };
  readonly seesItself: boolean;
}): OrphanDuty {
  if (facts.pid !== 1) return { duty: 'none' };
  const hint = 'put an init before it: docker run --init, or tini as entrypoint';
  if (!facts.native.ok) return { duty: 'warn', reason: `${NO_REAPER}: ${facts.native.reason}`, hint };
  if (!facts.seesItself) return { duty: 'warn', reason: `${NO_REAPER}: /proc does not show this process`, hint };
  return { duty: 'reap' };
}

export interface ReaperOptions {
  readonly pid: number;
  /** Where proc(5) is. */
  readonly proc: string;
  /** waitpid(2) for this one, without waiting. */
  readonly reap: (pid: number) => boolean;
  readonly onReaped: (count: number) => void;
}

/** Sleeps until it is woken, then looks once a second until no zombie is left. */
export class Reaper {
  readonly #options: ReaperOptions;
  /** Who was a zombie at the look before: PID → when it began. */
  #before = new Map<number, string>();
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;
  #wokenMeanwhile = false;
  #closed = false;

  constructor(options: ReaperOptions) {
    this.#options = options;
  }

  /** A child has ended, as it seems. A stream of these must not put the look off, so the first one counts. */
  wake(): void {
    this.#wokenMeanwhile = this.#isLooking;
    if (this.#closed || this.#isLooking || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => void this.look(), PAUSE_MS);
    this.#timer.unref();
  }

  /** Reaps who was there already at the look before, and remembers the rest for the next. Never rejects. */
  async look(): Promise<void> {
    this.#timer = undefined;
    this.#isLooking = true;
    this.#wokenMeanwhile = false;
    // Timers come before the poll phase in which Node hears of its own; an immediate comes after it.
    await nextTurn();
    const { pid: parent, proc, reap, onReaped } = this.#options;
    const zombies = await zombiesOf(parent, proc);
    const left: Zombie[] = [];
    let count = 0;
    for (const zombie of zombies) {
      const isOurs = this.#before.get(zombie.pid) === zombie.startedAt && isStillZombie(zombie, parent, proc);
      if (isOurs && tryTo(reap, zombie.pid)) count += 1;
      else left.push(zombie);
    }
    this.#before = new Map(left.map(({ pid, startedAt }) => [pid, startedAt]));
    this.#isLooking = false;
    if (count > 0 && !this.#closed) onReaped(count);
    // Who ended while it looked may not be among them.
    if (left.length > 0 || this.#wokenMeanwhile) this.wake();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}

/** Of a logger. */
export interface Tell {
  warn(fields: { readonly reason: string; readonly hint: string }, message: string): void;
  debug(fields: { readonly count: number }, message: string): void;
}

/** @returns ends it */
export function reapOrphans(native: NativeLoad, tell: Tell): () => void {
  const proc = '/proc';
  const found = orphanDuty({ pid: process.pid, native, seesItself: seesItself(proc, process.pid) });
  if (found.duty === 'warn') tell.warn({ reason: found.reason, hint: found.hint }, 'orphans are not reaped');
  if (found.duty !== 'reap' || !native.ok) return () => {};
  const reaper = new Reaper({
    pid: process.pid,
    proc,
    reap: (pid) => native.native.reap(pid),
    onReaped: (count) => tell.debug({ count }, 'orphans reaped'),
  });
  const wake = () => reaper.wake();
  process.on('SIGCHLD', wake);
  // There may be some from before: a shell that has become this process by exec leaves its children to it.
  reaper.wake();
  return () => {
    process.removeListener('SIGCHLD', wake);
    reaper.close();
  };
}

/** Somebody else has waited for it: that is as good. */
function tryTo(reap: (pid: number) => boolean, pid: number): boolean {
  try {
    return reap(pid);
  } catch {
    return false;
  }
}
