/**
 * Custody: owns every bound socket of the supervisor, so that no accept queue ends with a worker. Nobody else binds
 * one or closes one.
 *
 * Called by the supervisor, which sends duplicates to workers. Must never accept: the worker does, on its duplicate, and
 * both are the same socket in the kernel.
 */
import { monotonicNow } from '../../monotonic.js';
import type { ListenQueue } from '../../native/libc.js';
import type { AddressKey, AddressRequest } from '../../protocol/worker.js';
import { formatAddress, overlaps } from '../address/address.js';
import { type BoundSocket, bindSocket, canBindBeside, isAddressFree } from '../bind/bind.js';
import { BindError, EADDRINUSE } from '../bind/bind-error.js';
import { type InheritedSocket, matchFor, nameOf } from '../inherit.js';
import { Keeping } from '../keeping.js';
import { Acquisitions } from './acquisitions.js';
import type { CustodyOptions, CustodySocket } from './custody-options.js';
import { LatelyClosed } from './lately-closed.js';
import { SteeredGroups, unsteer } from './steered-groups.js';

export { addressKey } from '../address/address.js';
export type { CustodyOptions, CustodySocket, Waiting } from './custody-options.js';

/** What there is to see of the groups from outside: only custody has sockets come and go. */
export type SteeredSockets = Omit<SteeredGroups<CustodySocket>, 'join' | 'joinKnown' | 'leave' | 'close'>;

export class Custody {
  readonly #options: CustodyOptions;
  readonly #sockets = new Set<CustodySocket>();
  /** null where connections are not steered. */
  readonly #groups: SteeredGroups<CustodySocket> | null;
  readonly #acquisitions: Acquisitions;
  /** Of socket units, and not asked for yet. */
  readonly #unclaimed = new Set<InheritedSocket>();
  /** Those that somebody else goes on to hold, whatever happens here, as that calls them. */
  readonly #foreign = new Map<CustodySocket, string>();
  readonly #keeping: Keeping<CustodySocket>;
  /** Taken over, and not in their groups yet. */
  readonly #taken: CustodySocket[] = [];
  readonly #lately: LatelyClosed;
  #closed = false;
  #order = 0;

  constructor(options: CustodyOptions) {
    this.#options = options;
    this.#lately = new LatelyClosed(options.now ?? monotonicNow);
    const { steered, native } = options;
    this.#groups = steered && native.ok ? new SteeredGroups(native.native) : null;
    this.#keeping = new Keeping(options.keeper ?? null, (socket) => this.#groups?.indexOf(socket) ?? null);
    this.#acquisitions = new Acquisitions(options, {
      list: () => this.list(),
      find: (slot, key, request) => this.#findOrClaim(slot, key, request),
      bind: (slot, key, request) => this.#bind(slot, key, request),
      gone: (concerns) => this.#keeping.gone(concerns),
      isLeaving: (request) => this.#lately.has(request),
    });
    this.#takeIn(options.inherited ?? []);
  }

  /** Sockets that were passed by a socket unit, and that nobody has asked for. */
  get unclaimed(): readonly InheritedSocket[] {
    return [...this.#unclaimed];
  }

  /**
   * The socket of that address and slot; bound if there is none yet. In reuseport mode an address is refused while
   * a stranger listens on it, even where the system would let us bind beside it.
   *
   * @throws BindError; one that says `isOurs` where another socket of this custody is in the way; ECANCELED if `signal` was aborted or custody was closed. Nothing stays bound then.
   */
  acquire(slot: number, request: AddressRequest, signal?: AbortSignal): Promise<CustodySocket> {
    return this.#acquisitions.acquire(slot, request, signal);
  }

  /** @param slot does not matter in reuseaddr mode */
  find(slot: number | null, key: AddressKey): CustodySocket | undefined {
    const shared = this.#options.mode === 'reuseaddr';
    return this.#ofKey(key).find((socket) => shared || socket.slot === slot || socket.slot === null);
  }

  /** All of them, in the order in which they were bound. */
  list(): readonly CustodySocket[] {
    return [...this.#sockets];
  }

  /** All that there is, with the names by which the next supervisor knows them. */
  get passable(): { readonly fd: number; readonly name: string }[] {
    const own = this.list().map((socket) => {
      const { key, slot, handle } = socket;
      const name = this.#foreign.get(socket) ?? nameOf({ key, slot, index: this.#groups?.indexOf(socket) ?? null });
      return { fd: handle.fd, name };
    });
    return [...own, ...this.unclaimed.map(({ handle, name }) => ({ fd: handle.fd, name }))];
  }

  /** The groups among whose sockets the kernel's choice is steered; null where it is not. */
  get groups(): SteeredSockets | null {
    return this.#groups;
  }

  /**
   * Closes one socket; whatever waits in its queue is reset unless a worker still holds it. A number leaves the
   * socket that all slots share alone: that one goes by null. With a keeper it takes a moment.
   */
  release(slot: number | null, key: AddressKey): void {
    for (const socket of this.#ofKey(key)) {
      if (socket.slot === slot) void this.#letGo(socket);
    }
  }

  releaseAddress(key: AddressKey): void {
    for (const socket of this.#ofKey(key)) void this.#letGo(socket);
  }

  /** Closes every socket, ends every acquisition that waits, and refuses all later ones. */
  closeAll(): void {
    this.#closed = true;
    this.#acquisitions.close();
    for (const socket of this.list()) this.#close(socket);
    for (const socket of this.#unclaimed) socket.handle.close();
    this.#unclaimed.clear();
    this.#groups?.close();
  }

  /** Connections that wait to be accepted; null where the system does not tell, or nobody has listened yet. */
  queue(socket: CustodySocket): ListenQueue | null {
    const { native } = this.#options;
    return native.ok ? native.native.tcpListenQueue(socket.handle.fd) : null;
  }

  #ofKey(key: AddressKey): CustodySocket[] {
    return this.list().filter((socket) => socket.key === key && !this.#keeping.isLeaving(socket));
  }

  /**
   * The keeper's duplicate goes first: as long as there is one the kernel goes on to count the socket among its group, and
   * steering would name others by its index.
   */
  async #letGo(socket: CustodySocket): Promise<void> {
    // It goes on to be listened on by who made it, and is there for the next one who asks.
    if (this.#foreign.has(socket)) return;
    const dropped = this.#keeping.drop(socket);
    if (dropped !== null) {
      await dropped;
      if (!this.#sockets.has(socket)) return;
    }
    this.#close(socket);
    // Its index in the group has gone to another one.
    this.#keepAll();
  }

  #close(socket: CustodySocket): void {
    this.#sockets.delete(socket);
    this.#groups?.leave(socket);
    socket.handle.close();
    this.#lately.add(socket);
  }

  /** @throws BindError where it cannot join its group; the handle is closed then */
  #add(bound: BoundSocket, key: AddressKey, slot: number | null): CustodySocket {
    const socket = this.#enter(bound, key, slot);
    try {
      // One that all share has nobody to be steered to.
      if (slot !== null) this.#groups?.join(socket);
    } catch (error) {
      this.#sockets.delete(socket);
      bound.handle.close();
      throw error;
    }
    return socket;
  }

  #enter({ handle, host, port, family, ipv6Only }: BoundSocket, key: AddressKey, slot: number | null): CustodySocket {
    this.#order += 1;
    const socket = { handle, host, port, family, ipv6Only, key, slot, order: this.#order };
    this.#sockets.add(socket);
    return socket;
  }

  #keepAll(): void {
    this.#keeping.review(this.list().filter((socket) => !this.#foreign.has(socket)));
  }

  /** In the order in which they are in their groups: as `GroupOrder` has to be told. */
  #takeIn(inherited: readonly InheritedSocket[]): void {
    const kept = inherited.flatMap((socket) => (socket.kept === null ? [] : [{ socket, was: socket.kept }]));
    for (const socket of inherited) if (socket.kept === null) this.#unclaimed.add(socket);
    // The one of a socket unit listened before any other was bound beside it.
    for (const { socket, was } of kept) {
      const first = [...this.#unclaimed].find(({ host, port }) => host === socket.host && port === socket.port);
      if (first !== undefined) this.#claim(first, was.key);
    }
    for (const { socket, was } of kept.sort((a, b) => (a.was.index ?? 0) - (b.was.index ?? 0))) {
      const slot = this.#options.mode === 'reuseport' ? was.slot : null;
      if (this.#ofKey(was.key).some((other) => other.slot === slot)) {
        // Of slots that had sockets of their own, in a mode in which they share one.
        socket.handle.close();
        this.#keeping.refuse(socket.name);
        continue;
      }
      const taken = this.#add(socket, was.key, slot);
      this.#keeping.has(taken, socket.name);
      this.#options.onInherited?.(taken);
    }
    this.#keepAll();
  }

  /**
   * Slot 0 gets it: that is never scaled away, and who made it holds it for good. All share it where no other can be bound
   * beside it: it has no SO_REUSEPORT, or belongs to another user.
   */
  #claim(socket: InheritedSocket, key: AddressKey): void {
    const { mode, how, native } = this.#options;
    this.#unclaimed.delete(socket);
    const taken = this.#add(socket, key, mode === 'reuseport' && canBindBeside(socket, how, native) ? 0 : null);
    this.#foreign.set(taken, socket.name);
    this.#options.onInherited?.(taken);
  }

  #findOrClaim(slot: number, key: AddressKey, request: AddressRequest): CustodySocket | undefined {
    const unit = this.#ofKey(key).length === 0 ? matchFor([...this.#unclaimed], request) : undefined;
    if (unit !== undefined) this.#claim(unit, key);
    return this.find(slot, key);
  }

  /**
   * One that a worker of the supervisor before has handed over, which listens. It joins its group by `joinTaken`.
   *
   * @returns null where it is there already; the handle is closed then
   */
  takeOver(bound: BoundSocket, key: AddressKey, slot: number): CustodySocket | null {
    const own = this.#options.mode === 'reuseport' ? slot : null;
    const unit = [...this.#unclaimed].find(({ host, port }) => host === bound.host && port === bound.port);
    if (unit !== undefined) this.#claim(unit, key);
    if (this.#closed || this.#ofKey(key).some((other) => other.slot === own || other.slot === null)) {
      bound.handle.close();
      return null;
    }
    const taken = this.#enter(bound, key, own);
    if (own !== null) this.#taken.push(taken);
    return taken;
  }

  /**
   * Those that were taken over are all there.
   *
   * @param order which each was in its group; null where that is not known
   * @returns addresses of groups whose order is not known: the kernel chooses by its hash there
   */
  joinTaken(order: (socket: CustodySocket) => number | null): string[] {
    const taken = this.#taken.splice(0);
    const { native } = this.#options;
    // The program in force is the one of the supervisor before.
    if (this.#groups === null && native.ok) for (const { handle } of taken) unsteer(native.native, handle.fd);
    const unknown = this.#groups?.joinKnown(taken, order) ?? [];
    this.#keepAll();
    return unknown.map(({ host, port }) => formatAddress(host, port));
  }

  /** Whether somebody else holds it as well, such as a service manager: it stays open whatever happens here. */
  isForeign(socket: CustodySocket): boolean {
    return this.#foreign.has(socket);
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
    const socket = this.#add(bindSocket(wanted, how, native), key, mode === 'reuseport' ? slot : null);
    this.#keepAll();
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
