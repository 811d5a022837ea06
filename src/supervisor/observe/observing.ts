/**
 * Whether anybody observes: until then nothing is measured, and what collects it is not even loaded. With an admin address that
 * is from the start; without one from when an application first asks for the metrics.
 */
import type { State } from '../../core/state/types.js';
import type { MetricsRequest, Page } from '../../protocol/admin.js';
import type { WorkerIdentity } from '../workers/process/fork.js';
import type { WorkerHandle } from '../workers/process/handle.js';
import type { Observer, ObserverOptions } from './observer.js';
import type { MeasuredMessage } from './questions.js';

/** Loaded by who must have it before its files may go. */
export const loadObserver = () => import('./observer.js');

export class Observing {
  readonly #options: ObserverOptions;
  #loading: Promise<Observer> | null = null;
  #observer: Observer | null = null;
  /** Workers that have an answer to come: each asks once at a time. */
  readonly #asking = new Set<number>();

  /** What the supervisor before has passed on: this one counts on from there. */
  readonly #before: unknown;

  constructor(options: ObserverOptions, before: unknown = null) {
    this.#options = options;
    this.#before = before;
  }

  /** As plain data, for the supervisor that takes over. */
  toJSON(): unknown {
    return this.#observer?.toJSON() ?? this.#before;
  }

  observer(): Promise<Observer> {
    this.#loading ??= loadObserver().then(({ Observer }) => {
      this.#observer = new Observer(this.#options, this.#before);
      return this.#observer;
    });
    return this.#loading;
  }

  async page(request: MetricsRequest): Promise<Page> {
    return (await this.observer()).page(request);
  }

  heard(identity: WorkerIdentity, message: MeasuredMessage): void {
    this.#observer?.heard(identity, message);
  }

  gone(worker: number): void {
    this.#asking.delete(worker);
    this.#observer?.gone(worker);
  }

  /** @returns null where nobody observes; else what resolves when it has told its last figures, or has had the time for it */
  leaving(handle: WorkerHandle, patienceMs: number): Promise<unknown> | null {
    return this.#observer?.askLast(handle, patienceMs) ?? null;
  }

  /** Where the JavaScript of a slot's worker hangs. */
  hangs(slot: number, stack: readonly string[]): void {
    this.#observer?.hangs(slot, stack);
  }

  review(state: State): void {
    this.#observer?.review(state);
  }

  /** A worker asks for the metrics of all. */
  async tell(handle: WorkerHandle, seq: number): Promise<void> {
    const { worker } = handle.identity;
    const answer = { type: 'metrics' as const, seq, contentType: '', text: '', reason: '' };
    if (this.#asking.has(worker)) {
      void handle.send({ ...answer, reason: 'this worker has asked already: wait for that answer' });
      return;
    }
    this.#asking.add(worker);
    try {
      const { contentType, body } = await this.page({ accept: null, byWorker: false, noCache: false });
      void handle.send({ ...answer, contentType, text: body.toString() });
    } catch (error) {
      void handle.send({ ...answer, reason: error instanceof Error ? error.message : String(error) });
    } finally {
      this.#asking.delete(worker);
    }
  }

  close(): void {
    this.#observer?.close();
  }
}
