/**
 * From a request for a reload or a restart to the core: reads the configuration, runs the owner's command, hands the release
 * over. One deployment at a time, and the newest wins: it ends what is being prepared for an older reload, whose requests
 * then wait for its own answer. A restart is never given up for a reload.
 *
 * Called by the supervisor. Must never leave a request without an answer, nor a trace of a deployment that was refused.
 */
import type { Policy } from '../../core/state/types.js';
import type { ControlResult, ReloadOptions } from '../../protocol/control.js';
import { type Progress, type ProgressLine, tell } from '../requests.js';
import { policyFor, type Release } from './release.js';

export interface Order {
  readonly type: 'reload' | 'restart';
  readonly canary: NonNullable<ReloadOptions['canary']> | null;
}

/** A release that is ready to be handed over. `size` is null where it is to stay. */
export interface Ready extends Order {
  readonly policy: Policy;
  readonly size: number | null;
}

export interface DeploymentsOptions {
  /** Reads configuration and links anew; the release is kept until it is let go of. */
  readonly read: () => Promise<Release>;
  readonly letGo: (release: Release) => void;
  /** The size that a release asks for; null where it is to stay. */
  readonly sizeOf: (release: Release) => number | null;
  /** Runs the owner's command for it. Rejects when that does not end well, early where the signal is aborted. */
  readonly prepare: (release: Release, progress: Progress, signal: AbortSignal) => Promise<void>;
  /** Hands it to the core, and resolves with the core's answer. */
  readonly dispatch: (ready: Ready, progress: Progress) => Promise<ControlResult>;
  /** Told of one that does not begin. */
  readonly onRefused: (type: Order['type'], reason: string) => void;
}

interface Waiter {
  /** What to say when it went well. */
  readonly done: string;
  readonly progress: Progress;
  readonly resolve: (result: ControlResult) => void;
}

interface Deployment extends Order {
  waiters: Waiter[];
  readonly cancel: AbortController;
}

const DONE = { reload: 'reloaded', restart: 'restarted' } as const;
const SUPERSEDED = 'a newer one has taken its place';

export class Deployments {
  readonly #options: DeploymentsOptions;
  /** The one that is being prepared. */
  #current: Deployment | null = null;
  #next: Deployment | null = null;
  #closed: string | null = null;

  constructor(options: DeploymentsOptions) {
    this.#options = options;
  }

  /** Resolves with the answer, always. */
  deploy(order: Order, progress: Progress): Promise<ControlResult> {
    return new Promise((resolve) => {
      const waiter = { done: DONE[order.type], progress, resolve };
      if (this.#closed !== null) {
        this.#refuse({ ...order, waiters: [waiter], cancel: new AbortController() }, this.#closed);
        return;
      }
      const running = this.#current !== null;
      this.#next = this.#merge(order, waiter);
      if (!running) void this.#run();
    });
  }

  /** Whether one is being prepared. */
  get isBusy(): boolean {
    return this.#current !== null || this.#next !== null;
  }

  /** What is being prepared does not go on. @returns whether there was anything */
  cancel(reason: string): boolean {
    const present = [this.#current, this.#next].filter((deployment) => deployment !== null);
    this.#next = null;
    for (const deployment of present) {
      this.#refuse(deployment, reason);
      deployment.cancel.abort(reason);
    }
    return present.length > 0;
  }

  /** From now on everything is refused; what is being prepared is ended, and answered when it has come to its end. */
  close(reason: string): void {
    this.#closed = reason;
    if (this.#next !== null) this.#refuse(this.#next, reason);
    this.#next = null;
    this.#current?.cancel.abort(reason);
  }

  /** What comes next, with all who wait for it: also those of what it takes the place of. */
  #merge({ type, canary }: Order, waiter: Waiter): Deployment {
    const older: Deployment[] = [];
    if (this.#current?.type === 'reload') older.push(this.#current);
    if (this.#next !== null) older.push(this.#next);
    const isRestart = type === 'restart' || this.#next?.type === 'restart';
    const waiters = older.flatMap((deployment) => deployment.waiters.splice(0));
    for (const { progress } of waiters) tell(progress, { type: 'progress', message: 'superseded', fields: {} });
    if (this.#current?.type === 'reload') this.#current.cancel.abort(SUPERSEDED);
    return {
      type: isRestart ? 'restart' : 'reload',
      canary: isRestart ? null : canary,
      waiters: [...waiters, waiter],
      cancel: new AbortController(),
    };
  }

  async #run(): Promise<void> {
    while (this.#next !== null) {
      const deployment: Deployment = this.#next;
      this.#current = deployment;
      this.#next = null;
      try {
        await this.#attempt(deployment);
      } catch (error) {
        this.#refuse(deployment, error instanceof Error ? error.message : String(error));
      }
      this.#current = null;
    }
  }

  /** @throws what keeps it from beginning */
  async #attempt(deployment: Deployment): Promise<void> {
    const { type, canary, cancel } = deployment;
    const { read, letGo, prepare, sizeOf, dispatch } = this.#options;
    const progress = (line: ProgressLine) => {
      for (const waiter of deployment.waiters) tell(waiter.progress, line);
    };
    const reading = read();
    const release = await unlessAborted(reading, cancel.signal).catch((error: unknown) => {
      // What comes too late is not kept.
      reading.then(letGo, () => {});
      throw error;
    });
    try {
      if (type === 'reload') await prepare(release, progress, cancel.signal);
      cancel.signal.throwIfAborted();
    } catch (error) {
      letGo(release);
      throw error;
    }
    // The core puts what comes next in its place: only the way there is one at a time.
    const answer = dispatch({ type, canary, policy: policyFor(release), size: sizeOf(release) }, progress);
    void answer
      .then(
        (result) => settle(deployment, result),
        (error: unknown) => this.#refuse(deployment, error instanceof Error ? error.message : String(error)),
      )
      .finally(() => letGo(release));
  }

  #refuse(deployment: Deployment, reason: string): void {
    // Nobody waits for one that has been superseded.
    if (deployment.waiters.length === 0) return;
    this.#options.onRefused(deployment.type, reason);
    settle(deployment, { ok: false, message: 'failed', reason });
  }
}

function settle(deployment: Deployment, result: ControlResult): void {
  for (const { resolve, done } of deployment.waiters.splice(0)) {
    resolve(result.ok ? { ...result, message: done } : result);
  }
}

/** Rejects with the reason once the signal is aborted, whatever becomes of the promise. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const aborted = () => reject(new Error(String(signal.reason)));
    if (signal.aborted) aborted();
    signal.addEventListener('abort', aborted, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted));
  });
}
