/**
 * The public API: for applications that want to take part in what holdfast does with their worker. Outside of holdfast
 * nothing happens.
 *
 * It only reads what the preload has left in the process, so it does not matter whose copy of the package is imported.
 */
import type { DrainHandler, WorkerApi, WorkerApiSymbol } from './protocol.js';

export type { DrainEvent, DrainHandler, DrainReason } from './protocol.js';

/** Who this worker is. */
export interface OwnStatus {
  /** Name of the supervisor. */
  readonly name: string;
  readonly slot: number;
  readonly generation: number;
  /** Incarnations are counted through all slots. */
  readonly worker: number;
  /** Whether it is on its way out: it accepts nothing new. */
  readonly draining: boolean;
}

const NAME: WorkerApiSymbol = 'holdfast.worker';

/** Says that the application is ready, where `ready: message` is configured. The same as `process.send('ready')`. */
export function ready(): void {
  worker()?.ready();
}

/**
 * Has `handler` called when this worker begins to drain. What it returns is waited for, as long as `drainTimeout` allows;
 * SIGTERM comes afterwards. What it throws is an uncaught error of the application.
 *
 * @returns takes the handler back
 * @throws TypeError if `handler` is no function
 */
export function onDrain(handler: DrainHandler): () => void {
  if (typeof handler !== 'function') {
    throw new TypeError(`cannot call a handler of the drain: it must be a function, not ${typeof handler}`);
  }
  return worker()?.onDrain(handler) ?? (() => {});
}

/** @returns null where the process is not a worker of holdfast */
export function status(): OwnStatus | null {
  const api = worker();
  if (api === undefined) return null;
  const { name, slot, generation, worker: id } = api;
  return { name, slot, generation, worker: id, draining: api.isDraining() };
}

function worker(): WorkerApi | undefined {
  return (globalThis as unknown as Record<symbol, WorkerApi | undefined>)[Symbol.for(NAME)];
}
