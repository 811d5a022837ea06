/**
 * Sockets that are being asked for: one at a time for each address, and again and again while another process holds the address
 * and there is time. What is there, and how one is bound, is custody's.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { after, type MonotonicMs, monotonicNow } from '../../monotonic.js';
import type { AddressKey, AddressRequest } from '../../protocol/worker.js';
import { addressKey, formatAddress, overlaps } from '../address/address.js';
import { findOwner, SOON_FILES } from '../address/owner.js';
import { rivalsOf } from '../address/rivals.js';
import { BindError, EADDRINUSE, ECANCELED } from '../bind/bind-error.js';
import type { CustodyOptions, CustodySocket } from './custody-options.js';
import { MOMENT_MS } from './lately-closed.js';
import { Turns } from './turns.js';

/** How often an address that is taken is tried again. */
const RETRY_MS = 250;
/** And one that is ours no more in a moment. */
const SOON_MS = 10;

export interface AcquisitionsParts {
  readonly list: () => readonly CustodySocket[];
  /** Also one of a socket unit that nobody has asked for until now. */
  readonly find: (slot: number, key: AddressKey, request: AddressRequest) => CustodySocket | undefined;
  /** Synchronous, so that nothing can come between the binding and the entry. @throws BindError */
  readonly bind: (slot: number, key: AddressKey, request: AddressRequest) => CustodySocket;
  /** Resolves when none of these is about to be let go of. */
  readonly gone: (concerns: (socket: CustodySocket) => boolean) => Promise<unknown>;
  /** Whether one that overlaps was closed a moment ago: a worker may still hold its duplicate. */
  readonly isLeaving: (request: AddressRequest) => boolean;
}

export class Acquisitions {
  readonly #options: CustodyOptions;
  readonly #parts: AcquisitionsParts;
  readonly #now: () => MonotonicMs;
  readonly #sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly #turns = new Turns();
  readonly #underWay = new Set<AbortController>();
  #closed = false;

  constructor(options: CustodyOptions, parts: AcquisitionsParts) {
    this.#options = options;
    this.#parts = parts;
    this.#now = options.now ?? monotonicNow;
    this.#sleep = options.sleep ?? ((ms, signal) => delay(ms, undefined, { signal }));
  }

  /** Ends every one that waits, and refuses all later ones. */
  close(): void {
    this.#closed = true;
    for (const acquisition of this.#underWay) acquisition.abort();
  }

  /** @throws BindError: see `Custody.acquire` */
  async acquire(slot: number, request: AddressRequest, signal?: AbortSignal): Promise<CustodySocket> {
    const key = addressKey(request);
    const untilMs = after(this.#now(), this.#options.bindTimeoutMs);
    const stop = new AbortController();
    const abort = () => stop.abort();
    const aborted = new Promise<void>((resolve) => {
      stop.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    signal?.addEventListener('abort', abort, { once: true });
    if (this.#closed || signal?.aborted) abort();
    this.#underWay.add(stop);
    const turn = this.#turns.take(key);
    try {
      await Promise.race([turn.came, aborted]);
      return await this.#findOrBind(slot, key, request, untilMs, stop.signal);
    } finally {
      turn.finish();
      this.#underWay.delete(stop);
      signal?.removeEventListener('abort', abort);
    }
  }

  async #findOrBind(
    slot: number,
    key: AddressKey,
    request: AddressRequest,
    untilMs: MonotonicMs,
    stop: AbortSignal,
  ): Promise<CustodySocket> {
    const parts = this.#parts;
    const soonMs = after(this.#now(), MOMENT_MS);
    for (let attempt = 1; ; attempt += 1) {
      if (stop.aborted) throw new BindError(request, ECANCELED, { reason: 'the listener is no longer wanted' });
      // The slot has come back before its socket has gone, or another one is still in the way.
      await parts.gone((other) => overlaps(other, request) && (other.slot === null || other.slot === slot));
      const found = parts.find(slot, key, request);
      if (found !== undefined) return found;
      // The system binds both where neither listens yet, and would refuse the second worker that listens.
      const isShared = ({ slot: of }: CustodySocket) => of === null;
      if (rivalsOf(parts.list(), slot, request).some(isShared)) {
        throw new BindError(request, EADDRINUSE, { isOurs: true });
      }
      try {
        return parts.bind(slot, key, request);
      } catch (error) {
        if (!(error instanceof BindError) || error.errno !== EADDRINUSE) throw error;
        // Now, not after a wait: it may be a look at the port, and gone by then.
        if (rivalsOf(parts.list(), slot, request).length > 0) {
          throw new BindError(request, EADDRINUSE, { isOurs: true, cause: error });
        }
        // One that was on its way to a worker is open until that has heard that it was not wanted any more.
        if (this.#now() < soonMs && parts.isLeaving(request)) {
          attempt -= 1;
          await this.#sleep(SOON_MS, stop).catch(() => {});
          continue;
        }
        const leftMs = untilMs - this.#now();
        if (leftMs <= 0 || attempt === 1) {
          // Who does not wait is to be answered soon.
          const mostFiles = leftMs <= 0 ? SOON_FILES : undefined;
          const owner = await findOwner(request.host, request.port, undefined, mostFiles);
          if (leftMs <= 0) throw new BindError(request, EADDRINUSE, { owner, cause: error });
          const address = formatAddress(request.host, request.port);
          if (!stop.aborted) this.#options.onWaiting({ key, address, owner, untilMs });
        }
        await this.#sleep(Math.min(RETRY_MS, leftMs), stop).catch(() => {});
      }
    }
  }
}
