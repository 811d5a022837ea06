/** Servers that look as if they listened, and what they asked for. */
import type { AddressKey, AddressRequest } from '../../../protocol/worker.js';

export interface StandIn {
  readonly request: AddressRequest;
  /** Its server was still open a moment later: that counts for the real socket, too. */
  stayed: boolean;
}

export class StandIns {
  readonly #standIns = new Map<number, Map<AddressKey, StandIn>>();

  add(worker: number, key: AddressKey, request: AddressRequest): void {
    const own = this.#standIns.get(worker) ?? new Map<AddressKey, StandIn>();
    this.#standIns.set(worker, own.set(key, { request, stayed: false }));
  }

  get(worker: number, key: AddressKey): StandIn | undefined {
    return this.#standIns.get(worker)?.get(key);
  }

  /** Its server is closed, or has the real socket. @returns what there was */
  remove(worker: number, key: AddressKey): StandIn | undefined {
    const standIn = this.get(worker, key);
    this.#standIns.get(worker)?.delete(key);
    return standIn;
  }

  forget(worker: number): void {
    this.#standIns.delete(worker);
  }
}
