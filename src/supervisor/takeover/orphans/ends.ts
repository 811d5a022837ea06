/**
 * Tells when processes end that this program has not started: they are nobody's children here, so it is looked again and again.
 * Those that are children of this process all the same, from before an exec, are waited for, and it is known how they ended.
 */
import type { ExitStatus } from '../../../native/exec.js';
import { isThere, isUnreaped, type ProcessMark } from './orphans.js';

const LOOK_MS = 200;
/** Where a channel has ended, which most often is an end of the process. */
const LOOK_SOON_MS = 10;
const SOON_MS = 1_000;

/** @param status null where nobody can tell */
type Ended = (status: ExitStatus | null) => void;

export class Ends {
  readonly #watched = new Map<number, { readonly mark: ProcessMark; readonly ended: Ended }>();
  /** Of a child that has ended; null where it runs or is none. */
  readonly #collect: ((pid: number) => ExitStatus | null) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #soonUntil = 0;
  #closed = false;

  constructor(collect?: (pid: number) => ExitStatus | null) {
    this.#collect = collect;
  }

  /** In place of who was watched under that number before. */
  watch(worker: number, mark: ProcessMark, ended: Ended): void {
    this.#watched.set(worker, { mark, ended });
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
    const pauseMs = performance.now() < this.#soonUntil ? LOOK_SOON_MS : LOOK_MS;
    this.#timer = setTimeout(() => this.#look(), pauseMs);
    this.#timer.unref();
  }

  #look(): void {
    for (const [worker, { mark, ended }] of [...this.#watched]) {
      if (isThere(mark)) continue;
      const status = this.#collect?.(mark.pid) ?? null;
      // Its last threads are still on their way.
      if (status === null && this.#collect !== undefined && isUnreaped(mark)) continue;
      this.#watched.delete(worker);
      ended(status);
    }
    this.#schedule();
  }
}
