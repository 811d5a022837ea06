/**
 * Which sockets of custody are kept elsewhere, too, so that they outlive this process: under names that say whose they are
 * and which they are in their group. Tells the keeper; owns no socket.
 */
import type { AddressKey } from '../protocol/worker.js';
import { nameOf } from './inherit.js';

export interface Keeper {
  readonly keep: (name: string, fd: number) => void;
  /** Resolves once the duplicate is closed. Never rejects. */
  readonly drop: (name: string) => Promise<void>;
}

interface Kept {
  readonly key: AddressKey;
  readonly slot: number | null;
  readonly handle: { readonly fd: number };
}

export class Keeping<T extends Kept> {
  readonly #keeper: Keeper | null;
  readonly #indexOf: (socket: T) => number | null;
  readonly #names = new Map<T, string>();
  /** Those of which the keeper is closing its duplicate. */
  readonly #leaving = new Map<T, Promise<void>>();

  /** @param indexOf which it is in its group; null where it is in none */
  constructor(keeper: Keeper | null, indexOf: (socket: T) => number | null) {
    this.#keeper = keeper;
    this.#indexOf = indexOf;
  }

  isLeaving(socket: T): boolean {
    return this.#leaving.has(socket);
  }

  /** The keeper has it from before. */
  has(socket: T, name: string): void {
    this.#names.set(socket, name);
  }

  /** It was kept from before, and nobody has a use for it. */
  refuse(name: string): void {
    void this.#keeper?.drop(name);
  }

  /** What is not there yet is kept, and under another name what has another index. */
  review(sockets: Iterable<T>): void {
    if (this.#keeper === null) return;
    for (const socket of sockets) {
      if (this.#leaving.has(socket)) continue;
      const { key, slot, handle } = socket;
      const name = nameOf({ key, slot, index: this.#indexOf(socket) });
      const before = this.#names.get(socket);
      if (before === name) continue;
      if (before !== undefined) void this.#keeper.drop(before);
      this.#keeper.keep(name, handle.fd);
      this.#names.set(socket, name);
    }
  }

  /** null where it is not kept, so that there is nothing to wait for. */
  drop(socket: T): Promise<void> | null {
    const name = this.#names.get(socket);
    if (this.#keeper === null || name === undefined) return null;
    this.#names.delete(socket);
    const dropped = this.#keeper.drop(name).then(() => void this.#leaving.delete(socket));
    this.#leaving.set(socket, dropped);
    return dropped;
  }

  /** Resolves when none of those is leaving. */
  async gone(concerns: (socket: T) => boolean): Promise<void> {
    for (const [socket, dropped] of this.#leaving) if (concerns(socket)) await dropped;
  }
}
