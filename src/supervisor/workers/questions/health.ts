/** Asks workers how their application is, and sees to it that there is an answer in any case. */
import type { Event } from '../../../core/state/events.js';
import type { WorkerHandle } from '../process/handle.js';

/** The worker itself keeps to the time; this is for one whose loop does not turn. */
const GRACE_MS = 250;

export class WorkerHealth {
  readonly #dispatch: (event: Event) => void;
  readonly #waiting = new Map<number, NodeJS.Timeout>();

  constructor(dispatch: (event: Event) => void) {
    this.#dispatch = dispatch;
  }

  ask(handle: WorkerHandle): void {
    const { worker } = handle.identity;
    const { health, healthTimeoutMs: timeoutMs } = handle.release.config;
    const path = health ?? '/';
    const silent = () => this.answered(worker, { ok: false, detail: silence(path, timeoutMs) });
    this.#waiting.set(worker, setTimeout(silent, timeoutMs + GRACE_MS));
    void handle.send({ type: 'health', path, timeoutMs });
  }

  answered(worker: number, { ok, detail }: { readonly ok: boolean; readonly detail: string }): void {
    // Too late, or never asked for.
    if (!this.#waiting.has(worker)) return;
    this.forget(worker);
    this.#dispatch({ type: 'healthTold', worker, reason: ok ? null : detail });
  }

  forget(worker: number): void {
    clearTimeout(this.#waiting.get(worker));
    this.#waiting.delete(worker);
  }
}

function silence(path: string, timeoutMs: number): string {
  return `GET ${path} was not answered within ${timeoutMs / 1000} s: the event loop does not turn`;
}
