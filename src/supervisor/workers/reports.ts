/** What workers say: each message goes to the part that it concerns, or to the core as an event. Decides nothing. */
import type { WorkerMessage } from '../../protocol/worker.js';
import type { HandlesUnderWay } from './handles-under-way.js';
import { HANDOVER_LACK, type Links } from './links.js';
import type { WorkerHandle } from './process/handle.js';
import type { WorkerHealth } from './questions/health.js';
import type { Leftovers } from './questions/leftovers.js';
import type { Stats, WorkerStats } from './questions/stats.js';
import type { WorkforceOptions } from './workforce-options.js';

export interface ReportsParts {
  readonly workers: ReadonlyMap<number, WorkerHandle>;
  readonly stats: WorkerStats;
  readonly handles: HandlesUnderWay;
  readonly leftovers: Leftovers;
  readonly links: Links;
  readonly health: WorkerHealth;
  /** Told of every answer: each is a sign of life as well. */
  readonly onStats: (worker: number, stats: Stats) => void;
}

export class Reports {
  readonly #options: WorkforceOptions;
  readonly #parts: ReportsParts;

  constructor(options: WorkforceOptions, parts: ReportsParts) {
    this.#options = options;
    this.#parts = parts;
  }

  /** A worker has said something. */
  heard(handle: WorkerHandle, message: WorkerMessage): void {
    const { stats, handles, leftovers, links, health } = this.#parts;
    const { custody, shared, listening, dispatch, examinations, observing } = this.#options;
    const { worker } = handle.identity;
    switch (message.type) {
      case 'listen':
        handles.add(listening.give(custody, handle, message.seq, message.request));
        break;
      case 'share':
        handles.add(listening.share(shared, handle, message.seq, message.request));
        break;
      case 'opened':
        listening.opened(worker, message.key);
        break;
      case 'bound':
      case 'stayed':
      case 'closed':
      case 'adopted':
        listening.heard(custody, handle.identity, message);
        break;
      case 'able':
        this.#able(handle, message);
        break;
      case 'drained':
        leftovers.settle(worker);
        dispatch({ type: 'drained', worker });
        break;
      case 'released':
        dispatch({ type: 'released', worker, socket: { slot: message.slot, key: message.key } });
        break;
      case 'handedOver':
        links.told(handle.identity, message);
        break;
      case 'linked':
        // The sender hears of the receiver over the link itself.
        break;
      case 'unlinked':
      case 'resigned':
        dispatch({ type: message.type, worker });
        break;
      case 'leftover':
        leftovers.told(handle.identity, message);
        break;
      case 'health':
        health.answered(worker, message);
        break;
      case 'attach':
      case 'output':
      case 'mine':
        // Of an orphan, before it is a worker of this supervisor.
        break;
      case 'profiled':
      case 'inspected':
        examinations.answered(worker, message);
        break;
      case 'measured':
        if (this.#parts.workers.has(worker)) observing.heard(handle.identity, message);
        break;
      case 'metrics':
        void observing.tell(handle, message.seq);
        break;
      case 'stats':
        stats.answered(worker, message);
        this.#parts.onStats(worker, message);
        break;
    }
  }

  #able(handle: WorkerHandle, { missing, listens }: Extract<WorkerMessage, { type: 'able' }>): void {
    handle.missing = missing;
    handle.plain = !listens;
    const lack = missing.find((what) => what.startsWith(HANDOVER_LACK));
    if (lack !== undefined) this.#parts.links.lack = lack;
    if (missing.length === 0) return;
    const { worker, slot, generation } = handle.identity;
    const hint = 'this version of Node lacks something that holdfast builds on: the application runs without it';
    this.#options.log.logger.warn({ worker, slot, generation, missing, hint }, 'worker lacks something');
  }
}
