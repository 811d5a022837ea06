/**
 * Answers workers that want to listen: finds or binds the socket in custody and hands a duplicate over.
 */
import os from 'node:os';
import type { AnyEvent } from '../../core/supervision.js';
import type { Log } from '../../logs/logger.js';
import type { MonotonicMs } from '../../monotonic.js';
import type { AddressKey, AddressRequest } from '../../protocol.js';
import { formatAddress } from '../../sockets/address.js';
import { BindError } from '../../sockets/bind-error.js';
import { addressKey, type Custody } from '../../sockets/custody.js';
import type { Owner } from '../../sockets/owner.js';
import type { WorkerHandle } from './handle.js';

export interface BindDelay {
  readonly key: AddressKey;
  readonly address: string;
  readonly owner: Owner | null;
  readonly untilMs: MonotonicMs;
}

export class Listening {
  readonly #dispatch: (event: AnyEvent) => void;
  readonly #log: Log;
  /** Workers that wait for an address, by its key. */
  readonly #waiting = new Map<AddressKey, Set<number>>();

  constructor(dispatch: (event: AnyEvent) => void, log: Log) {
    this.#dispatch = dispatch;
    this.#log = log;
  }

  async give(custody: Custody, worker: WorkerHandle, seq: number, request: AddressRequest): Promise<void> {
    const key = addressKey(request);
    const { worker: id, slot } = worker.identity;
    this.#wait(key, id);
    try {
      const socket = await custody.acquire(slot, request);
      this.#dispatch({ type: 'socketOpened', socket: { slot: socket.slot, key }, worker: id });
      await worker.send({ type: 'socket', seq, key, errno: 0, hold: worker.held || worker.leaving }, socket.handle);
    } catch (error) {
      const known = error instanceof BindError;
      const reason = error instanceof Error ? error.message : String(error);
      const hint = known && error.hint !== undefined ? ` — ${error.hint}` : '';
      this.#log.logger.error({ slot, worker: id, address: key, reason }, 'cannot bind');
      // First the news, then the errno: the application may end the moment it hears of it.
      this.#dispatch({ type: 'bindFailed', worker: id, key, reason: reason + hint });
      await worker.send({ type: 'socket', seq, key, errno: known ? error.errno : -os.constants.errno.EINVAL });
    } finally {
      this.#done(key, id);
    }
  }

  /** Another process holds the address: those who wait for it get the time. */
  delayed(delay: BindDelay): void {
    const { owner } = delay;
    this.#log.logger.warn(
      { address: delay.address, ownerPid: owner?.pid ?? null, ownerCommand: owner?.command ?? null },
      'address is taken, waiting for its owner to go',
    );
    const { key, untilMs: until } = delay;
    for (const worker of this.#waiting.get(key) ?? []) this.#dispatch({ type: 'bindDelayed', worker, key, until });
  }

  #wait(key: AddressKey, worker: number): void {
    const waiting = this.#waiting.get(key) ?? new Set();
    waiting.add(worker);
    this.#waiting.set(key, waiting);
  }

  #done(key: AddressKey, worker: number): void {
    const waiting = this.#waiting.get(key);
    waiting?.delete(worker);
    if (waiting?.size === 0) this.#waiting.delete(key);
  }
}

/** What people are told of an address whose port the kernel has chosen. */
export function chosenPort(custody: Custody, slot: number, key: string): { readonly address?: string } {
  const socket = key.includes(':0#') ? custody.find(slot, key) : undefined;
  return socket === undefined ? {} : { address: formatAddress(socket.host, socket.port) };
}
