/**
 * The public API: for applications that want to take part in what holdfast does with their worker. Outside of holdfast
 * nothing happens.
 *
 * It only reads what the preload has left in the process, so it does not matter whose copy of the package is imported.
 */
import type { Socket } from 'node:net';
import type {
  DrainHandler,
  HandoverHandler,
  MetricsRegistry,
  MetricsText,
  WorkerApi,
  WorkerApiSymbol,
} from './public.js';

export type {
  DrainEvent,
  DrainHandler,
  DrainReason,
  HandoverHandler,
  MetricsRegistry,
  MetricsText,
} from './public.js';

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

/**
 * Has `handler` asked, once this worker drains, what its successor needs to go on with a conversation over TCP that is no HTTP.
 * The connection is then handed over open, with that state, of 64 KiB at most; here it ends as if the client had gone. Where it
 * returns undefined it is asked again a moment later. The newest handler holds.
 *
 * @throws TypeError if `handler` is no function
 */
export function onHandover(handler: HandoverHandler): void {
  if (typeof handler !== 'function') {
    throw new TypeError(`cannot call a handler of the hand-over: it must be a function, not ${typeof handler}`);
  }
  worker()?.onHandover(handler);
}

/**
 * What the predecessor's handler has passed on with a connection; to be asked in the server's `connection` listener.
 *
 * @returns undefined for a client that has just connected
 */
export function handedOver(socket: Socket): Buffer | undefined {
  return worker()?.handedOver(socket);
}

/**
 * The metrics of the whole application, to be answered by its own `/metrics`: those of prom-client in all workers, merged by
 * their `aggregator`, and those of holdfast, as at the admin address.
 *
 * @returns null where the process is not a worker of holdfast
 * @throws Error where the supervisor cannot tell
 */
export function metrics(): Promise<MetricsText | null>;
/**
 * Has the metrics of `registry` collected as well: one of prom-client's that is not its default one, which is found by itself.
 *
 * @throws TypeError if `registry` is no registry
 */
export function metrics(registry: MetricsRegistry): void;
export function metrics(...given: readonly [] | readonly [MetricsRegistry]): Promise<MetricsText | null> | undefined {
  if (given.length === 0) return worker()?.metrics() ?? Promise.resolve(null);
  const [registry] = given;
  if (typeof registry?.getMetricsAsJSON !== 'function') {
    throw new TypeError('cannot collect metrics: it must be a registry of prom-client, with getMetricsAsJSON()');
  }
  worker()?.addRegistry(registry);
  return undefined;
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
