/**
 * What workers leave open when their drain is over. A worker has said it before it is asked to end: SIGTERM may end it at once,
 * and on a busy machine its word comes after the time.
 */
import type { Log } from '../../logs/logger.js';
import type { ConnectionKind, WorkerMessage } from '../../protocol.js';
import type { WorkerIdentity } from './fork.js';

/** How long its word is waited for; it may hang. */
const PATIENCE_MS = 1_000;

export class Leftovers {
  /** Connections that were still open when the drain of their worker ended, since the supervisor began. */
  readonly cutOff: Partial<Record<ConnectionKind, number>> = {};
  readonly #log: Log;
  readonly #patienceMs: number;
  /** Workers that drain and have not said it yet. */
  readonly #owing = new Set<number>();
  readonly #waiting = new Map<number, { readonly timer: NodeJS.Timeout; readonly then: () => void }>();

  constructor(log: Log, patienceMs = PATIENCE_MS) {
    this.#log = log;
    this.#patienceMs = patienceMs;
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
    this.nothing(worker);
  }

  /** It has nothing open any more, or has said what. */
  nothing(worker: number): void {
    this.#owing.delete(worker);
    const waiting = this.#waiting.get(worker);
    this.forget(worker);
    waiting?.then();
  }

  /** Calls `then` once the worker has said it, or has had the time for it. */
  afterwards(worker: number, then: () => void): void {
    if (!this.#owing.has(worker)) {
      then();
      return;
    }
    this.#waiting.set(worker, { timer: setTimeout(() => this.nothing(worker), this.#patienceMs), then });
  }

  /** It has gone. */
  forget(worker: number): void {
    this.#owing.delete(worker);
    clearTimeout(this.#waiting.get(worker)?.timer);
    this.#waiting.delete(worker);
  }
}
