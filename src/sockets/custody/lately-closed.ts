/**
 * Sockets that custody closed a moment ago. One that was on its way to a worker stays open until the worker has heard that it is
 * not wanted any more, and looks like a stranger's until then.
 */
import type { MonotonicMs } from '../../monotonic.js';
import { type Endpoint, overlaps } from '../address/address.js';

/** On a busy machine a worker takes as long to have its turn. */
export const MOMENT_MS = 1_000;

export class LatelyClosed {
  readonly #now: () => MonotonicMs;
  #closed: (Endpoint & { readonly at: MonotonicMs })[] = [];

  constructor(now: () => MonotonicMs) {
    this.#now = now;
  }

  add({ host, port, ipv6Only }: Endpoint): void {
    this.#forgetOld();
    this.#closed.push({ host, port, ipv6Only, at: this.#now() });
  }

  /** Whether there was one that overlaps with it. */
  has(endpoint: Endpoint): boolean {
    this.#forgetOld();
    return this.#closed.some((closed) => overlaps(closed, endpoint));
  }

  #forgetOld(): void {
    const since = this.#now() - MOMENT_MS;
    this.#closed = this.#closed.filter(({ at }) => at > since);
  }
}
