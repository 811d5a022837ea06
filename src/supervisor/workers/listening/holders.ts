/** Which workers have what all of them share: each as often as it was given it and has not closed it. */
import type { AddressKey } from '../../../protocol/worker.js';

export class Holders {
  readonly #workers = new Map<AddressKey, number[]>();

  add(key: AddressKey, worker: number): void {
    this.#workers.set(key, [...(this.#workers.get(key) ?? []), worker]);
  }

  /** @returns whether the worker has another one of it */
  remove(key: AddressKey, worker: number): boolean {
    const workers = this.#workers.get(key) ?? [];
    const at = workers.indexOf(worker);
    if (at < 0) return false;
    const left = workers.toSpliced(at, 1);
    this.#keep(key, left);
    return left.includes(worker);
  }

  /** It has ended. */
  forget(worker: number): void {
    for (const [key, workers] of this.#workers) {
      this.#keep(
        key,
        workers.filter((other) => other !== worker),
      );
    }
  }

  has(key: AddressKey): boolean {
    return this.#workers.has(key);
  }

  #keep(key: AddressKey, workers: number[]): void {
    if (workers.length === 0) this.#workers.delete(key);
    else this.#workers.set(key, workers);
  }
}
