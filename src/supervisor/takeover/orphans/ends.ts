/**
 * Tells when processes end that this program has not started: they are nobody's children here, so it is looked again and again,
 * rarely where something else tells of the end. Those that are children of this process all the same, from before an exec, are
 * waited for, and it is known how they ended.
 */
import type { ExitStatus } from '../../../native/exec.js';
import { isThere, isUnreaped, type ProcessMark } from './orphans.js';

/** Where nothing else tells. */
const LOOK_MS = 200;
/** Where something else does, should that be lost: a look takes a tenth of a millisecond for each process. */
const LOOK_RARELY_MS = 5_000;
/** Where a channel has ended, which most often is an end of the process. */
const LOOK_SOON_MS = 10;
const SOON_MS = 1_000;

/** @param status null where nobody can tell */
export type Ended = (status: ExitStatus | null) => void;

interface Watched {
  readonly mark: ProcessMark;
  readonly ended: Ended;
  readonly isTold: () => boolean;
}

export class Ends {
  readonly #watched = new Map<number, Watched>();
  /** Of a child that has ended; null where it runs or is none. */
  readonly #collect: ((pid: number) => ExitStatus | null) | undefined;
  readonly #isThere: (mark: ProcessMark) => boolean;
  #timer: NodeJS.Timeout | undefined;
  #soonUntil = 0;
  #closed = false;

  constructor(collect?: (pid: number) => ExitStatus | null, isStillThere = (mark: ProcessMark) => isThere(mark)) {
    this.#collect = collect;
    this.#isThere = isStillThere;
  }

  /**
   * In place of who was watched under that number before.
   *
   * @param isTold whether something else tells of its end, for now; whoever hears of it calls `lookSoon`
   */
  watch(worker: number, mark: ProcessMark, ended: Ended, isTold: () => boolean = () => false): void {
    this.#watched.set(worker, { mark, ended, isTold });
    this.#schedule();
  }

  markOf(worker: number): ProcessMark | undefined {
    return this.#watched.get(worker)?.mark;
  }

  lookSoon(): void {
    this.#soonUntil = performance.now() + SOON_MS;
    this.#schedule();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#watched.size === 0 || this.#closed) return;
    this.#timer = setTimeout(() => this.#look(), this.#pauseMs());
    this.#timer.unref();
  }

  #pauseMs(): number {
    if (performance.now() < this.#soonUntil) return LOOK_SOON_MS;
    return [...this.#watched.values()].every(({ isTold }) => isTold()) ? LOOK_RARELY_MS : LOOK_MS;
  }

  #look(): void {
    for (const [worker, { mark, ended }] of [...this.#watched]) {
      if (this.#isThere(mark)) continue;
      const status = this.#collect?.(mark.pid) ?? null;
      // Its last threads are still on their way.
      if (status === null && this.#collect !== undefined && isUnreaped(mark)) continue;
      this.#watched.delete(worker);
      ended(status);
    }
    this.#schedule();
  }
}
