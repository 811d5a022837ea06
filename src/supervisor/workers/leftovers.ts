/** Connections that were still open when the drain of their worker ended: counted, and told in the log. */
import type { Log } from '../../logs/logger.js';
import type { ConnectionKind, WorkerMessage } from '../../protocol.js';
import type { WorkerIdentity } from './fork.js';

export class Leftovers {
  /** Since the supervisor began. */
  readonly counts: Partial<Record<ConnectionKind, number>> = {};
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  told(identity: WorkerIdentity, { counts, named }: Extract<WorkerMessage, { type: 'leftover' }>): void {
    for (const [kind, count] of Object.entries(counts) as [ConnectionKind, number][]) {
      this.counts[kind] = (this.counts[kind] ?? 0) + count;
    }
    const { worker, slot, generation } = identity;
    this.#log.logger.warn({ worker, slot, generation, counts, connections: named }, 'connections still open');
  }
}
