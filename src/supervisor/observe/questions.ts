/** Asks workers what they have measured, and waits for those that answer in time. */
import type { SupervisorMessage, WorkerMessage } from '../../protocol/worker.js';
import type { WorkerIdentity } from '../workers/process/fork.js';
import type { WorkerHandle } from '../workers/process/handle.js';

export type MeasuredMessage = Extract<WorkerMessage, { type: 'measured' }>;
/** Without the application's metrics, which are kept in a place of their own. */
export type OwnMeasured = Omit<MeasuredMessage, 'application'>;
export type Answers = ReadonlyMap<WorkerIdentity, OwnMeasured>;

/** How a worker is to measure until it is asked again. */
export type Manner = Pick<Extract<SupervisorMessage, { type: 'measure' }>, 'resolutionMs' | 'gcWeight'>;

export class Questions {
  readonly #known: (worker: number) => number;
  readonly #manner: (worker: number) => Manner;
  readonly #waiting = new Map<number, { readonly worker: number; readonly settle: (message: OwnMeasured) => void }>();
  /** Since when they owe an answer, in milliseconds. */
  readonly #owing = new Map<number, number>();
  #asked = 0;

  /**
   * @param known the version of the application's metrics whose description a worker has told
   * @param manner how a worker is to measure
   */
  constructor(known: (worker: number) => number, manner: (worker: number) => Manner) {
    this.#known = known;
    this.#manner = manner;
  }

  /** What a worker has at hand, and of the rest what is wanted. */
  ask(handle: WorkerHandle, wanted: { readonly kinds: boolean; readonly application: boolean }): number {
    this.#asked += 1;
    const { worker } = handle.identity;
    const known = this.#known(worker);
    if (!this.#owing.has(worker)) this.#owing.set(worker, performance.now());
    void handle.send({ type: 'measure', seq: this.#asked, ...wanted, ...this.#manner(worker), known });
    return this.#asked;
  }

  /** For how long a worker has owed an answer, in milliseconds; 0 where it owes none. */
  silentMs(worker: number, now: number): number {
    return now - (this.#owing.get(worker) ?? now);
  }

  gone(worker: number): void {
    this.#owing.delete(worker);
  }

  heard(worker: number, message: OwnMeasured): void {
    this.#owing.delete(worker);
    const waiting = this.#waiting.get(message.seq);
    // Who answers for another is not heard.
    if (waiting !== undefined && waiting.worker === worker) waiting.settle(message);
  }

  /**
   * What all tell that answer in time.
   *
   * @param awaited workers that the answer waits for
   * @param readers workers whose application is asked for its own metrics, too
   */
  async askAll(
    handles: readonly WorkerHandle[],
    awaited: ReadonlySet<number>,
    readers: ReadonlySet<number>,
    patienceMs: number,
  ): Promise<Answers> {
    const found = new Map<WorkerIdentity, OwnMeasured>();
    const asked: number[] = [];
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, patienceMs);
    });
    const answers = handles.flatMap((handle) => {
      const { worker } = handle.identity;
      const seq = this.ask(handle, { kinds: true, application: readers.has(worker) });
      asked.push(seq);
      const answer = new Promise<void>((resolve) => {
        const settle = (message: OwnMeasured) => {
          found.set(handle.identity, message);
          resolve();
        };
        this.#waiting.set(seq, { worker, settle });
      });
      return awaited.has(worker) ? [answer] : [];
    });
    await Promise.race([Promise.all(answers), late]);
    clearTimeout(timer);
    for (const seq of asked) this.#waiting.delete(seq);
    return found;
  }
}
