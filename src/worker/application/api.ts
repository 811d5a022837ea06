/** What the application can ask of its worker through the package's public API: left under a symbol that nothing else reads. */
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type {
  DrainEvent,
  DrainHandler,
  DrainReason,
  HandoverHandler,
  MetricsRegistry,
  MetricsText,
  WorkerApi,
  WorkerApiSymbol,
} from '../../public.js';
import type { Channel as OwnChannel } from '../channel/channel.js';

type Channel = Pick<OwnChannel, 'ask' | 'send' | 'sayReady'>;

const NAME: WorkerApiSymbol = 'holdfast.worker';

export class Application {
  readonly #handlers = new Set<DrainHandler>();
  #draining = false;
  /** Handlers that have not settled. */
  #busy = 0;
  #onHandover: HandoverHandler | undefined;
  /** What came with connections of other workers. */
  readonly #states = new WeakMap<object, Buffer>();

  /** Of metrics: those that the application has named. */
  readonly registries = new Set<MetricsRegistry>();
  readonly #asked = new Map<number, { resolve(text: MetricsText): void; reject(error: Error): void }>();

  publish(identity: Pick<WorkerApi, 'name' | 'slot' | 'generation' | 'worker'>, channel: Channel): void {
    const api: WorkerApi = {
      ...identity,
      isDraining: () => this.#draining,
      ready: () => channel.sayReady(),
      onDrain: (handler) => {
        // One that registers the same function twice means it twice.
        const own: DrainHandler = (event) => handler(event);
        this.#handlers.add(own);
        return () => {
          this.#handlers.delete(own);
        };
      },
      onHandover: (handler) => {
        this.#onHandover = handler;
      },
      addRegistry: (registry) => {
        this.registries.add(registry);
      },
      metrics: () =>
        new Promise((resolve, reject) => {
          const seq = channel.ask();
          this.#asked.set(seq, { resolve, reject });
          const lost = () => this.metricsTold(seq, null, 'the supervisor is gone');
          channel.send({ type: 'metrics', seq }, lost);
        }),
      handedOver: (socket) => {
        const { _handle: handle } = socket as Socket & { _handle?: object | null };
        return handle ? this.#states.get(handle) : undefined;
      },
    };
    Object.defineProperty(globalThis, Symbol.for(NAME), { value: Object.freeze(api), configurable: true });
  }

  /** @param reason why there is no text */
  metricsTold(seq: number, text: MetricsText | null, reason: string): void {
    const asked = this.#asked.get(seq);
    this.#asked.delete(seq);
    if (text !== null) asked?.resolve(text);
    else asked?.reject(new Error(`cannot collect metrics: ${reason}`));
  }

  /** Whether it passes the state of its conversations on. */
  get passesStates(): boolean {
    return this.#onHandover !== undefined;
  }

  /** What its successor needs to go on with that conversation; undefined where it cannot go on elsewhere now. */
  stateOf(socket: Socket): Buffer | undefined {
    try {
      const state = this.#onHandover?.(socket);
      return state === undefined ? undefined : Buffer.from(state as Uint8Array);
    } catch (error) {
      // As from a listener of an event: the application's own rules for uncaught errors hold.
      process.nextTick(() => {
        throw error;
      });
      return undefined;
    }
  }

  /** To be called before the application hears of the connection. */
  keepState(handle: object, state: Buffer): void {
    this.#states.set(handle, state);
  }

  /** Whether what the application does on its way out is done. */
  get isDone(): boolean {
    return this.#busy === 0;
  }

  /**
   * Calls all handlers. What they throw is thrown on, as from a listener of an event: the application's own rules for
   * uncaught errors hold.
   *
   * @returns whether there are any
   */
  drain({ reason, windowMs, keepUpgraded }: { reason: DrainReason; windowMs: number; keepUpgraded: () => void }) {
    this.#draining = true;
    if (this.#handlers.size === 0) return false;
    const endsAt = performance.now() + windowMs;
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error('the drain is over')), Math.max(0, endsAt - performance.now())).unref();
    const event: DrainEvent = { reason, windowMs, signal: controller.signal, keepUpgraded };
    for (const handler of this.#handlers) {
      this.#busy += 1;
      const settled = () => {
        this.#busy -= 1;
      };
      void (async () => handler(event))().finally(settled);
    }
    return true;
  }
}
