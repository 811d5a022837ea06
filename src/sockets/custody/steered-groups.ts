/**
 * The reuse-port groups of a steered custody: which sockets belong together and in which order, and in which queues
 * connections wait. Custody tells of every socket that comes and goes; it owns them.
 */
import { type ListenQueue, type Native, NativeError } from '../../native/libc.js';
import type { QueueWatch } from '../../native/queue-watch.js';
import { formatAddress } from '../address/address.js';
import type { BoundSocket } from '../bind/bind.js';
import { BindError } from '../bind/bind-error.js';
import { GroupOrder } from './group-order.js';

/** Node's own default; the worker's `listen` puts the application's in its place. */
const BACKLOG = 511;

interface Listed<T> {
  readonly groups: readonly (readonly T[])[];
  readonly byFd: ReadonlyMap<number, T>;
}

export class SteeredGroups<T extends BoundSocket> {
  readonly #native: Native;
  readonly #watch: QueueWatch;
  /** By what the kernel groups by: the address that was really bound. */
  readonly #groups = new Map<string, GroupOrder<T>>();
  /** Those whose order is not known. */
  readonly #unknown = new Set<string>();
  /** What a look at the queues goes through, a hundred times a second: made anew only when a socket has come or gone. */
  #listed: Listed<T> | undefined;

  constructor(native: Native) {
    this.#native = native;
    this.#watch = native.openQueueWatch();
  }

  /** The sockets of each group, in the order that a steering program counts in; the same array as long as none comes or goes. */
  list(): readonly (readonly T[])[] {
    return this.#list().groups;
  }

  /**
   * Has the socket listen, by which it joins its group: the program in force knows nothing of it and gives it nothing.
   *
   * @throws BindError
   */
  join(socket: T): void {
    try {
      this.#native.listen(socket.handle.fd, BACKLOG);
    } catch (cause) {
      if (cause instanceof NativeError) throw new BindError(socket, cause.errno, { cause });
      throw cause;
    }
    if (this.#unknown.has(endpoint(socket))) return;
    const group = this.#groups.get(endpoint(socket)) ?? new GroupOrder<T>();
    this.#groups.set(endpoint(socket), group);
    group.join(socket);
    this.#listed = undefined;
    this.#watch.add(socket.handle.fd);
  }

  /**
   * Sockets from before, which listen already. Of one group at most one may have gone since their order was known: who takes its
   * index is known then, and which of several went first is not.
   *
   * @param order which each was in its group; null where that is not known
   * @returns one of each group that cannot be steered from now on, whatever joins it
   */
  joinKnown(sockets: readonly T[], order: (socket: T) => number | null): T[] {
    const groups = new Map<string, T[]>();
    for (const socket of sockets) groups.set(endpoint(socket), [...(groups.get(endpoint(socket)) ?? []), socket]);
    const unknown: T[] = [];
    for (const [name, members] of groups) {
      // Those that came from outside were there before.
      const first = this.#groups.get(name)?.members.length ?? 0;
      const sorted = inOrder(members, (socket) => {
        const index = order(socket);
        return index === null || index < first ? null : index - first;
      });
      if (sorted !== null) for (const socket of sorted) this.join(socket);
      else {
        this.#unknown.add(name);
        this.#groups.delete(name);
        this.#listed = undefined;
        unknown.push(members[0]!);
        unsteer(this.#native, members[0]!.handle.fd);
      }
    }
    return unknown;
  }

  /** Which it is in its group; null where it is in none. */
  indexOf(socket: T): number | null {
    const index = this.#groups.get(endpoint(socket))?.indexOf(socket) ?? -1;
    return index === -1 ? null : index;
  }

  /** To be called just before custody closes the socket, which nobody else may hold any more. */
  leave(socket: T): void {
    const group = this.#groups.get(endpoint(socket));
    if (group === undefined || group.indexOf(socket) === -1) return;
    this.#watch.remove(socket.handle.fd);
    group.leave(socket);
    this.#listed = undefined;
    if (group.members.length === 0) this.#groups.delete(endpoint(socket));
  }

  queue(socket: T): ListenQueue | null {
    return this.#native.tcpListenQueue(socket.handle.fd);
  }

  /** The sockets in whose queues connections wait now. */
  readable(): T[] {
    const fds = this.#watch.ready();
    if (fds.length === 0) return [];
    const { byFd } = this.#list();
    return fds.flatMap((fd) => byFd.get(fd) ?? []);
  }

  #list(): Listed<T> {
    if (this.#listed === undefined) {
      const groups = [...this.#groups.values()].map(({ members }) => members);
      this.#listed = { groups, byFd: new Map(groups.flat().map((socket) => [socket.handle.fd, socket])) };
    }
    return this.#listed;
  }

  /** Resolves with true when a connection comes, with false after a while without any. One call at a time. */
  wait(): Promise<boolean> {
    return this.#watch.wait();
  }

  /** Wakes who waits; nothing else may be called afterwards. */
  close(): void {
    this.#watch.close();
  }
}

function endpoint({ host, port, ipv6Only }: BoundSocket): string {
  return `${formatAddress(host, port)}${ipv6Only ? ',v6only' : ''}`;
}

/** From now on the kernel goes by its hash in the group of that socket, whoever had steered it. */
export function unsteer(native: Native, fd: number): void {
  try {
    native.detachReusePortProgram(fd);
  } catch {
    // There was none.
  }
}

/** As the kernel has them by now; null where that is not known. */
function inOrder<T>(sockets: readonly T[], order: (socket: T) => number | null): T[] | null {
  const byIndex = new Map(sockets.map((socket) => [order(socket), socket]));
  if (byIndex.has(null) || byIndex.size < sockets.length) return null;
  const size = Math.max(...(byIndex.keys() as Iterable<number>)) + 1;
  const missing = Array.from({ length: size }, (_none, index) => index).filter((index) => !byIndex.has(index));
  const [gone] = missing;
  if (missing.length > 1) return null;
  const group = new GroupOrder<T | number>();
  for (let index = 0; index < size; index++) group.join(byIndex.get(index) ?? index);
  if (gone !== undefined) group.leave(gone);
  return group.members as T[];
}
