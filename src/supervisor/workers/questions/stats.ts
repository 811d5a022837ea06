/** Asks the workers how they are, when somebody wants to know; nothing is measured in between. */
import type { WorkerMessage } from '../../../protocol/worker.js';
import type { WorkerHandle } from '../process/handle.js';

export type Stats = Extract<WorkerMessage, { type: 'stats' }>;

/** A worker whose event loop is blocked does not answer; its delay is then at least this long. */
const ANSWER_TIMEOUT_MS = 1_000;

export class WorkerStats {
  readonly #waiting = new Map<number, { readonly worker: number; readonly settle: (stats: Stats | null) => void }>();
  #asked = 0;

  /**
   * The answer, or null where none came within a second.
   *
   * @param figures whether those for comparing workers are wanted, too
   */
  ask(worker: WorkerHandle, figures = false): Promise<Stats | null> {
    if (!worker.connected) return Promise.resolve(null);
    const seq = this.poll(worker, figures);
    return new Promise((resolve) => {
      const timeout = setTimeout(() => this.#settle(seq, null), ANSWER_TIMEOUT_MS);
      const settle = (stats: Stats | null) => {
        clearTimeout(timeout);
        resolve(stats);
      };
      this.#waiting.set(seq, { worker: worker.identity.worker, settle });
    });
  }

  /** The question alone, for who hears of every answer: with many workers a promise and a timer for each add up. */
  poll(worker: WorkerHandle, figures = false): number {
    this.#asked += 1;
    const sentAtMs = Number(process.hrtime.bigint() / 1000n) / 1000;
    void worker.send({ type: 'stats', seq: this.#asked, sentAtMs, figures });
    return this.#asked;
  }

  /** An answer to what another worker was asked is none. */
  answered(worker: number, stats: Stats): void {
    if (this.#waiting.get(stats.seq)?.worker === worker) this.#settle(stats.seq, stats);
  }

  #settle(seq: number, stats: Stats | null): void {
    const waiting = this.#waiting.get(seq);
    this.#waiting.delete(seq);
    waiting?.settle(stats);
  }
}
