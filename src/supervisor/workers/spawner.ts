/** Starts workers, and takes in those of a supervisor before: however one begins, it is enrolled in the same way. */
import type { Effect } from '../../core/state/effects.js';
import type { WorkerMessage } from '../../protocol/worker.js';
import { addressKey } from '../../sockets/address/address.js';
import type { Release } from '../deployments/release.js';
import type { Programs } from '../programs/programs.js';
import { attachedFrom } from '../takeover/attach/arrived.js';
import { OomWatch } from '../upkeep/oom.js';
import { reasonOf } from './listening/listening.js';
import { Fork, type WorkerIdentity, type WorkerProcess } from './process/fork.js';
import { ForkQueue } from './process/fork-queue.js';
import { WorkerHandle } from './process/handle.js';
import type { ProcessGroups } from './process/process-groups.js';
import type { TicketKey } from './ticket-key.js';
import type { WorkforceOptions } from './workforce-options.js';

export interface SpawnerParts {
  /** Whoever has begun is entered, and taken out at its exit. */
  readonly workers: Map<number, WorkerHandle>;
  readonly leftBehind: ProcessGroups;
  readonly ticketKey: TicketKey;
  readonly heard: (handle: WorkerHandle, message: WorkerMessage) => void;
  /** It has exited. */
  readonly forget: (worker: number) => void;
}

export class Spawner {
  /** Workers that are no Node; null as long as there are none. */
  programs: Programs | null = null;
  readonly #options: WorkforceOptions;
  readonly #parts: SpawnerParts;
  readonly #oom = new OomWatch();
  readonly #queue = new ForkQueue();

  constructor(options: WorkforceOptions, parts: SpawnerParts) {
    this.#options = options;
    this.#parts = parts;
  }

  spawn({ worker, slot, generation, held }: Omit<Extract<Effect, { do: 'spawn' }>, 'do'>, release: Release): void {
    const { name, attachAt = null, shared, firstWorker } = this.#options;
    const identity = { worker, slot, generation, name };
    if (release.config.exec) {
      void this.#spawnProgram(identity, release, held);
      return;
    }
    const first = firstWorker?.take(identity) ?? null;
    const begin = () => {
      const start = () => first ?? new Fork(identity, release, { keptPaths: shared.paths, attachAt });
      this.#begin(identity, release, held, start);
    };
    if (first === null) this.#queue.add(worker, begin);
    else this.#queue.letFirst(begin);
  }

  /** Has a worker begun whose turn has not come: something is asked of it. */
  beginNow(worker: number): void {
    this.#queue.beginNow(worker);
  }

  /** Its sockets come first. Never rejects. */
  async #spawnProgram(identity: WorkerIdentity, release: Release, held: boolean): Promise<void> {
    let start: () => WorkerProcess;
    try {
      start = await (await this.#loadPrograms()).prepare(identity, release);
    } catch (error) {
      start = () => {
        throw error;
      };
    }
    const handle = this.#begin(identity, release, held, start);
    if (handle !== null) this.programs?.begun(handle);
  }

  #begin(identity: WorkerIdentity, release: Release, held: boolean, start: () => WorkerProcess): WorkerHandle | null {
    const handle = this.#enroll(identity, release, start, held);
    // Before any answer to `listen`: the channel keeps the order.
    void handle?.send({ type: 'ticketKey', key: this.#parts.ticketKey.current });
    handle?.shareOutput();
    const { worker } = identity;
    if (handle?.pid !== undefined) this.#options.dispatch({ type: 'spawned', worker, pid: handle.pid });
    return handle;
  }

  /** One that has come from a supervisor that is gone. @throws where it has gone meanwhile */
  takeIn({ worker, slot, generation }: Omit<Extract<Effect, { do: 'takeIn' }>, 'do'>, release: Release): void {
    const { name, takeover } = this.#options;
    const arrival = takeover?.take(worker);
    if (arrival === undefined) throw new Error('it has gone meanwhile');
    const identity = { worker, slot, generation, name };
    const { held, missing } = arrival.attach;
    const attached = attachedFrom(arrival);
    const handle = this.#enroll(identity, release, () => new Fork(identity, release, { attached }), held);
    if (handle === null) return;
    // Only `able` says more, which it has said before.
    handle.missing = missing;
    void handle.send({ type: 'attached' });
    void handle.send({ type: 'ticketKey', key: this.#parts.ticketKey.current });
  }

  /** @returns null where it could not be started: that is told as an exit */
  #enroll(identity: WorkerIdentity, release: Release, start: () => WorkerProcess, held: boolean): WorkerHandle | null {
    const { workers, leftBehind, heard, forget } = this.#parts;
    const { log, dispatch, listening, shared, isRestarting } = this.#options;
    const { worker, slot, generation } = identity;
    let started: WorkerProcess | null = null;
    const exited = (code: number | null, signal: string | null, lastLines: readonly string[]) => {
      this.#queue.goOn();
      workers.delete(worker);
      forget(worker);
      this.programs?.forget(worker);
      // Asked at each exit: a kill of something that a worker had started must not be laid to the next one that is killed.
      const killed = this.#oom.hasKilled();
      const oomKilled = signal === 'SIGKILL' && killed;
      const isUntold = started?.isUntold ?? false;
      const tell = () =>
        dispatch({ type: 'exited', worker, code, signal, lastLines, chance: Math.random(), oomKilled, isUntold });
      // What it has started may hold a port as well.
      if (isRestarting()) void leftBehind.gone().then(tell);
      else tell();
    };
    try {
      const process = start();
      started = process;
      const handle: WorkerHandle = new WorkerHandle(identity, release, process, log, {
        onMessage: (message) => {
          heard(handle, message);
          if (message.type === 'bound') this.#queue.goOn();
        },
        onSaidReady: () => dispatch({ type: 'saidReady', worker }),
        onListening: (address) => listening.opened(worker, addressKey({ ...address, ipv6Only: false, ordinal: 0 })),
        onDisconnected: (reason) => dispatch({ type: 'disconnected', worker, ...(reason !== undefined && { reason }) }),
        onEnded: () => {
          leftBehind.ended(handle);
          shared.restoreNames();
          dispatch({ type: 'ended', worker });
        },
        onExited: exited,
      });
      workers.set(worker, handle);
      handle.held = held;
      if (handle.scriptChanged) {
        const hint = 'the release is no longer on disk as it was when it was loaded: this worker runs the new file';
        log.logger.warn({ worker, slot, generation, script: release.script, hint }, 'script has changed');
      }
      return handle;
    } catch (error) {
      started = null;
      exited(null, null, [reasonOf(error)]);
      return null;
    }
  }

  /** Few need them. */
  async #loadPrograms(): Promise<Programs> {
    const { Programs } = await import('../programs/programs.js');
    this.programs ??= new Programs({ ...this.#options, count: () => this.#parts.workers.size });
    return this.programs;
  }
}
