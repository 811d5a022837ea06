/** Servers that look as if they listened, and what they asked for. */
import type { AddressKey, AddressRequest } from '../../protocol.js';

export class StandIns {
  readonly #requests = new Map<number, Map<AddressKey, AddressRequest>>();

  add(worker: number, key: AddressKey, request: AddressRequest): void {
    const own = this.#requests.get(worker) ?? new Map<AddressKey, AddressRequest>();
    this.#requests.set(worker, own.set(key, request));
  }

  get(worker: number, key: AddressKey): AddressRequest | undefined {
    return this.#requests.get(worker)?.get(key);
  }

  has(worker: number, key: AddressKey): boolean {
    return this.get(worker, key) !== undefined;
  }

  /** Its server is closed, or has the real socket. @returns whether there was one */
  remove(worker: number, key: AddressKey): boolean {
    return this.#requests.get(worker)?.delete(key) ?? false;
  }

  forget(worker: number): void {
    this.#requests.delete(worker);
  }
}
