/**
 * Custody: owns every bound socket of the supervisor, so that no accept queue ends with a worker. Nobody else binds
 * one or closes one.
 *
 * Called by the supervisor, which sends duplicates to workers. Must never accept: the worker does, on its duplicate, and
 * both are the same socket in the kernel.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { ListenQueue, NativeLoad } from '../native/libc.js';
import type { AddressKey, AddressRequest, ListenMode } from '../protocol.js';
import { addressKey, formatAddress, overlaps } from './address.js';
import { type BoundSocket, bindSocket, isAddressFree, type ReusePortHow } from './bind.js';
import { BindError, EADDRINUSE, ECANCELED } from './bind-error.js';
import { findOwner, type Owner } from './owner.js';
import { SteeredGroups } from './steered-groups.js';

export { addressKey } from './address.js';

/** How often an address that is taken is tried again. */
const RETRY_MS = 250;

export interface CustodySocket extends BoundSocket {
  readonly key: AddressKey;
  /** null in reuseaddr mode, where all slots share the socket. */
  readonly slot: number | null;
  /** Rises with each socket that custody binds. */
  readonly order: number;
}

export interface Waiting {
  readonly key: AddressKey;
  readonly address: string;
  readonly owner: Owner | null;
  /** When custody gives up, on the clock of `now`. */
  readonly untilMs: number;
}

export interface CustodyOptions {
  readonly mode: ListenMode;
  /** Must not be null in reuseport mode. */
  readonly how: ReusePortHow;
  /** Whether sockets listen from the moment they are bound, so that their order in the kernel's group is known. */
  readonly steered: boolean;
  readonly native: NativeLoad;
  /** How long an acquisition waits for an address that another process holds; 0 means not at all. */
  readonly bindTimeoutMs: number;
  /** Told once for each acquisition that has to wait. */
  readonly onWaiting: (info: Waiting) => void;
  /** A monotonic clock in milliseconds. */
  readonly now?: () => number;
  /** Resolves after `ms` or when `signal` is aborted, whichever is first; it may reject then. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** What there is to see of the groups from outside: only custody has sockets come and go. */
export type SteeredSockets = Omit<SteeredGroups<CustodySocket>, 'join' | 'leave' | 'close'>;

export class Custody {
  readonly #options: CustodyOptions;
  readonly #now: () => number;
  readonly #sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly #sockets = new Set<CustodySocket>();
  /** For each address the end of the queue of those who want to bind it; never rejects. */
  readonly #turns = new Map<AddressKey, Promise<void>>();
  /** null where connections are not steered. */
  readonly #groups: SteeredGroups<CustodySocket> | null;
  readonly #acquisitions = new Set<AbortController>();
  #closed = false;
  #order = 0;

  constructor(options: CustodyOptions) {
    this.#options = options;
    const { steered, native } = options;
    this.#groups = steered && native.ok ? new SteeredGroups(native.native) : null;
    this.#now = options.now ?? (() => performance.now());
    this.#sleep = options.sleep ?? ((ms, signal) => delay(ms, undefined, { signal }));
  }

  /**
   * The socket of that address and slot; bound if there is none yet. In reuseport mode an address is refused while
   * a stranger listens on it, even where the system would let us bind beside it.
   *
   * @throws BindError; ECANCELED if `signal` was aborted or custody was closed. Nothing stays bound then.
   */
  async acquire(slot: number, request: AddressRequest, signal?: AbortSignal): Promise<CustodySocket> {
    const key = addressKey(request);
    const untilMs = this.#now() + this.#options.bindTimeoutMs;
    const stop = new AbortController();
    const abort = () => stop.abort();
    const aborted = new Promise<void>((resolve) => {
      stop.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    signal?.addEventListener('abort', abort, { once: true });
    if (this.#closed || signal?.aborted) abort();
    this.#acquisitions.add(stop);
    const turn = this.#queue(key);
    try {
      await Promise.race([turn.came, aborted]);
      return await this.#findOrBind(slot, key, request, untilMs, stop.signal);
    } finally {
      turn.finish();
      this.#acquisitions.delete(stop);
      signal?.removeEventListener('abort', abort);
    }
  }

  /** @param slot does not matter in reuseaddr mode */
  find(slot: number | null, key: AddressKey): CustodySocket | undefined {
    const shared = this.#options.mode === 'reuseaddr';
    return this.#ofKey(key).find((socket) => shared || socket.slot === slot);
  }

  /** All of them, in the order in which they were bound. */
  list(): readonly CustodySocket[] {
    return [...this.#sockets];
  }

  /** The groups among whose sockets the kernel's choice is steered; null where it is not. */
  get groups(): SteeredSockets | null {
    return this.#groups;
  }

  /**
   * Closes one socket; whatever waits in its queue is reset unless a worker still holds it. A number leaves the
   * socket that all slots share alone: that one goes by null.
   */
  release(slot: number | null, key: AddressKey): void {
    for (const socket of this.#ofKey(key)) {
      if (socket.slot === slot) this.#close(socket);
    }
  }

  releaseAddress(key: AddressKey): void {
    for (const socket of this.#ofKey(key)) this.#close(socket);
  }

  /** Closes every socket, ends every acquisition that waits, and refuses all later ones. */
  closeAll(): void {
    this.#closed = true;
    for (const acquisition of this.#acquisitions) acquisition.abort();
    for (const socket of this.list()) this.#close(socket);
    this.#groups?.close();
  }

  /** Connections that wait to be accepted; null where the system does not tell, or nobody has listened yet. */
  queue(socket: CustodySocket): ListenQueue | null {
    const { native } = this.#options;
    return native.ok ? native.native.tcpListenQueue(socket.handle.fd) : null;
  }

  #ofKey(key: AddressKey): CustodySocket[] {
    return this.list().filter((socket) => socket.key === key);
  }

  #close(socket: CustodySocket): void {
    this.#sockets.delete(socket);
    this.#groups?.leave(socket);
    socket.handle.close();
  }

  /** One at a time for an address: `came` resolves when all who were before have called `finish`. */
  #queue(key: AddressKey): { came: Promise<void>; finish: () => void } {
    let finish = () => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const came = this.#turns.get(key) ?? Promise.resolve();
    const end = came.then(() => finished);
    this.#turns.set(key, end);
    void end.then(() => {
      if (this.#turns.get(key) === end) this.#turns.delete(key);
    });
    return { came, finish };
  }

  async #findOrBind(
    slot: number,
    key: AddressKey,
    request: AddressRequest,
    untilMs: number,
    stop: AbortSignal,
  ): Promise<CustodySocket> {
    for (let attempt = 1; ; attempt += 1) {
      if (stop.aborted) throw new BindError(request, ECANCELED, { reason: 'the listener is no longer wanted' });
      const found = this.find(slot, key);
      if (found !== undefined) return found;
      try {
        return this.#bind(slot, key, request);
      } catch (error) {
        if (!(error instanceof BindError) || error.errno !== EADDRINUSE) throw error;
        const leftMs = untilMs - this.#now();
        if (leftMs <= 0 || attempt === 1) {
          const owner = await findOwner(request.host, request.port);
          if (leftMs <= 0) throw new BindError(request, EADDRINUSE, { owner, cause: error });
          const address = formatAddress(request.host, request.port);
          if (!stop.aborted) this.#options.onWaiting({ key, address, owner, untilMs });
        }
        await this.#sleep(Math.min(RETRY_MS, leftMs), stop).catch(() => {});
      }
    }
  }

  /** Synchronous, so that nothing can come between the binding and the entry. */
  #bind(slot: number, key: AddressKey, request: AddressRequest): CustodySocket {
    const { mode, how, native } = this.#options;
    const [sibling] = this.#ofKey(key);
    // The port that the kernel gave to the first, and the family that "any" came to mean, hold for all slots.
    const wanted = sibling === undefined ? request : { ...request, ...place(sibling) };
    if (mode === 'reuseport' && request.port !== 0 && !this.#isOurs(request) && !isAddressFree(request)) {
      throw new BindError(request, EADDRINUSE);
    }
    const bound = bindSocket(wanted, how, native);
    this.#order += 1;
    const socket = { ...bound, key, slot: mode === 'reuseport' ? slot : null, order: this.#order };
    try {
      this.#groups?.join(socket);
    } catch (error) {
      bound.handle.close();
      throw error;
    }
    this.#sockets.add(socket);
    return socket;
  }

  /** Siblings are no strangers, nor is another address of ours that covers this one, which a reload may bring about. */
  #isOurs(request: AddressRequest): boolean {
    return this.list().some((socket) => overlaps(socket, request));
  }
}

function place({ host, port, family }: BoundSocket) {
  return { host, port, family };
}
