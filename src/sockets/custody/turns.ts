/** Those who want to bind an address, one after the other. */
import type { AddressKey } from '../../protocol/worker.js';

export class Turns {
  /** For each address the end of its queue; never rejects. */
  readonly #ends = new Map<AddressKey, Promise<void>>();

  /** `came` resolves when all who were before have called `finish`. */
  take(key: AddressKey): { readonly came: Promise<void>; readonly finish: () => void } {
    let finish = () => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const came = this.#ends.get(key) ?? Promise.resolve();
    const end = came.then(() => finished);
    this.#ends.set(key, end);
    void end.then(() => {
      if (this.#ends.get(key) === end) this.#ends.delete(key);
    });
    return { came, finish };
  }
}
