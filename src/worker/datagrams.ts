/**
 * UDP sockets of the application that all workers share: a worker that drains takes no more datagrams from them, and is not
 * done before those that it has taken are answered, as far as can be told. Costs nothing before the drain.
 *
 * Sockets on a port that the kernel has chosen, and those that are connected, are the application's own business.
 */
import cluster from 'node:cluster';
import type { Socket } from 'node:dgram';
import { performance } from 'node:perf_hooks';

/** Node's raw UDP handle, as far as it is used here. */
interface UdpHandle {
  recvStop(): number;
  send(...args: unknown[]): number;
}
interface Query {
  /** A number for TCP. */
  readonly addressType: unknown;
  readonly port: number | null;
  readonly fd?: number | null;
}
type Reply = (errno: number, handle: unknown, ...rest: unknown[]) => void;
type GetServer = (socket: unknown, query: Query, reply: Reply) => void;

interface Bound {
  readonly socket: WeakRef<Socket>;
  readonly handle: WeakRef<UdpHandle>;
}

/** Who has sent nothing for so long works on nothing that is to be answered. */
const QUIET_MS = 1_000;
/** Answers that come slowly may come more slowly still. */
const PAUSES = 2;
/** What has gone is swept out when there are this many more than after the last time. */
const SWEEP_AFTER = 16;

export class Datagrams {
  #bound: Bound[] = [];
  #sweepAt = SWEEP_AFTER;
  #sentAt = Number.NEGATIVE_INFINITY;
  #longestPause = 0;
  #draining = false;

  /** After the one that takes TCP over: node:cluster asks here for every socket. */
  install(): void {
    const seam = cluster as unknown as { _getServer?: GetServer };
    const original = seam._getServer;
    if (typeof original !== 'function') return;
    seam._getServer = (socket, query, reply) => {
      const { addressType, port, fd } = query;
      if (typeof addressType !== 'string' || !(port || (fd ?? -1) >= 0)) {
        original.call(cluster, socket, query, reply);
        return;
      }
      original.call(cluster, socket, query, (errno, handle, ...rest) => {
        reply(errno, handle, ...rest);
        if (errno === 0 && isHandle(handle)) this.#add(socket as Socket, handle);
      });
    };
  }

  #add(socket: Socket, handle: UdpHandle): void {
    this.#bound.push({ socket: new WeakRef(socket), handle: new WeakRef(handle) });
    if (this.#bound.length >= this.#sweepAt) this.#open();
    if (this.#draining) this.#stop(handle);
  }

  #open(): { socket: Socket; handle: UdpHandle }[] {
    const open = this.#bound.flatMap((bound) => {
      const socket = bound.socket.deref();
      const handle = bound.handle.deref();
      return socket !== undefined && handle !== undefined && isOpen(socket) ? [{ bound, socket, handle }] : [];
    });
    this.#bound = open.map(({ bound }) => bound);
    this.#sweepAt = 2 * this.#bound.length + SWEEP_AFTER;
    return open;
  }

  /** Takes nothing more: what comes is there for the other workers, which read from the same sockets. */
  drain(): void {
    this.#draining = true;
    for (const { socket, handle } of this.#open()) if (!isConnected(socket)) this.#stop(handle);
  }

  #stop(handle: UdpHandle): void {
    handle.recvStop();
    this.#sentAt = performance.now();
    const { send } = handle;
    handle.send = (...args) => {
      const now = performance.now();
      this.#longestPause = Math.max(this.#longestPause, now - this.#sentAt);
      this.#sentAt = now;
      return Reflect.apply(send, handle, args) as number;
    };
  }

  /** Whether what had been received is answered: nothing has been sent for a while, and for longer than between two answers. */
  isDone(): boolean {
    const quietMs = performance.now() - this.#sentAt;
    return quietMs >= Math.max(QUIET_MS, PAUSES * this.#longestPause) || this.#open().length === 0;
  }
}

function isHandle(handle: unknown): handle is UdpHandle {
  const { recvStop, send } = (handle ?? {}) as Partial<UdpHandle>;
  return typeof recvStop === 'function' && typeof send === 'function';
}

function isOpen(socket: Socket): boolean {
  try {
    socket.address();
    return true;
  } catch {
    return false;
  }
}

function isConnected(socket: Socket): boolean {
  try {
    socket.remoteAddress();
    return true;
  } catch {
    return false;
  }
}
