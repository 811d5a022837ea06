/**
 * What workers leave open when their drain is over. A worker has said it before it is asked to end: SIGTERM may end it at once,
 * and on a busy machine its word comes after the time.
 */
import type { Log } from '../../../logs/logger.js';
import type { ConnectionKind } from '../../../protocol/measured.js';
import type { WorkerMessage } from '../../../protocol/worker.js';
import type { WorkerIdentity } from '../process/fork.js';

/** How long its word is waited for at most; it may hang. */
const PATIENCE_MS = 1_000;

export class Leftovers {
  /** Connections that were still open when the drain of their worker ended, since the supervisor began. */
  readonly cutOff: Partial<Record<ConnectionKind, number>> = {};
  readonly #log: Log;
  /** Workers that drain and have not said it yet. */
  readonly #owing = new Set<number>();
  readonly #waiting = new Map<number, { readonly timer: NodeJS.Timeout; readonly then: () => void }>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** It has been told to drain. */
  expect(worker: number): void {
    this.#owing.add(worker);
  }

  told(
    { worker, slot, generation }: WorkerIdentity,
    { counts, named }: Pick<Extract<WorkerMessage, { type: 'leftover' }>, 'counts' | 'named'>,
  ): void {
    if (named.length > 0) {
      for (const [kind, count] of Object.entries(counts) as [ConnectionKind, number][]) {
        this.cutOff[kind] = (this.cutOff[kind] ?? 0) + count;
      }
      this.#log.logger.warn({ worker, slot, generation, counts, connections: named }, 'connections still open');
    }
    this.settle(worker);
  }

  /** It has nothing open any more, or has said what. */
  settle(worker: number): void {
    this.#owing.delete(worker);
    const waiting = this.#waiting.get(worker);
    this.forget(worker);
    waiting?.then();
  }

  /**
   * Calls `then` once the worker has said it, or has had the time for it.
   *
   * @param killTimeoutMs what it has from then on to end, half of which is left to it
   */
  afterwards(worker: number, killTimeoutMs: number, then: () => void): void {
    if (!this.#owing.has(worker)) {
      then();
      return;
    }
    const timer = setTimeout(() => this.settle(worker), Math.min(PATIENCE_MS, killTimeoutMs / 2));
    this.#waiting.set(worker, { timer, then });
  }

  /** It has gone. */
  forget(worker: number): void {
    this.#owing.delete(worker);
    clearTimeout(this.#waiting.get(worker)?.timer);
    this.#waiting.delete(worker);
  }
}
