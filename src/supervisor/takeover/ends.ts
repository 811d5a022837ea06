/** Tells when processes end that this one has not started: they are nobody's children here, so it is looked again and again. */
import { isThere, type ProcessMark } from './orphans.js';

const LOOK_MS = 200;
/** Where a channel has ended, which most often is an end of the process. */
const LOOK_SOON_MS = 10;
const SOON_MS = 1_000;

export class Ends {
  readonly #watched = new Map<number, { readonly mark: ProcessMark; readonly ended: () => void }>();
  #timer: NodeJS.Timeout | undefined;
  #soonUntil = 0;
  #closed = false;

  /** In place of who was watched under that number before. */
  watch(worker: number, mark: ProcessMark, ended: () => void): void {
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
      this.#watched.delete(worker);
      ended();
    }
    this.#schedule();
  }
}
