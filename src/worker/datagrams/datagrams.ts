/**
 * UDP sockets of the application. One that is bound to serve is in custody and shared by all workers: a worker that drains takes
 * no more datagrams from it, and is not done before those that it has taken are answered, as far as can be told.
 *
 * One on a port that the kernel has chosen is the worker's own, as under plain node: answers come to who has asked. So is one
 * that joins a multicast group, where it has asked for `reuseAddr`, and one that is connected (multicast.ts).
 */
import cluster from 'node:cluster';
import type { Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import os from 'node:os';
import { performance } from 'node:perf_hooks';
import type { AddressKey } from '../../protocol/worker.js';
import type { Channel } from '../channel/channel.js';
import { bindAnother, isConnected, isOpen, isUdpHandle, ofFamily, stateOf, type UdpHandle } from '../node/udp.js';
import { sharesPort } from './exclusive-datagrams.js';
import { guardMemberships } from './multicast.js';

interface Query {
  readonly address?: string | null;
  /** A number for TCP. */
  readonly addressType: unknown;
  readonly port: number | null;
  readonly fd?: number | null;
  readonly flags?: number | null;
}
type Reply = (errno: number, handle: unknown, ...rest: unknown[]) => void;
type GetServer = (socket: unknown, query: Query, reply: Reply) => void;

interface Bound {
  readonly socket: WeakRef<Socket>;
  readonly handle: WeakRef<UdpHandle>;
  readonly key: AddressKey;
  readonly place: Place;
}

/** Where it was asked for. */
interface Place {
  readonly name: string;
  /** With others that share it as well. */
  readonly isShared: boolean;
}

interface Waiting {
  readonly socket: Socket;
  readonly query: Query;
  readonly reply: Reply;
  readonly place: Place;
  /** Who asks for the same place meanwhile: they may find it closed again. */
  readonly later: (() => void)[];
}

/** `uv_udp_flags` of libuv. */
const IPV6_ONLY = 1;
const REUSE_ADDR = 4;
/** Who has sent nothing for so long works on nothing that is to be answered. */
const QUIET_MS = 1_000;
/** Answers that come slowly may come more slowly still. */
const PAUSES = 2;
/** Ends the key of one that a worker has in place of the shared one. */
const OWN = '/own';
/** What has gone is swept out when there are this many more than after the last time. */
const SWEEP_AFTER = 16;

export class Datagrams {
  readonly #channel: Channel;
  readonly #waiting = new Map<number, Waiting>();
  /** Those that are not to receive yet. */
  readonly #held = new Set<() => void>();
  /** Node 26 ends the process where something is asked of what has been closed. */
  readonly #closed = new WeakSet<UdpHandle>();
  #bound: Bound[] = [];
  #sweepAt = SWEEP_AFTER;
  #sentAt = Number.NEGATIVE_INFINITY;
  #longestPause = 0;
  #draining = false;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** After the one that takes TCP over: node:cluster asks here for every socket. */
  install(): void {
    const seam = cluster as unknown as { _getServer?: GetServer };
    const original = seam._getServer;
    if (typeof original !== 'function') return;
    seam._getServer = (socket, query, reply) => {
      const { addressType, port, fd } = query;
      if (typeof addressType !== 'string' || (fd ?? -1) >= 0) original.call(cluster, socket, query, reply);
      else if (port) this.#share(socket as Socket, query, reply);
      else this.#bindOwn(socket as Socket, query, reply, () => original.call(cluster, socket, query, reply));
    };
  }

  /** As plain Node does where there is no cluster. @param otherwise where this Node does not let us */
  #bindOwn(socket: Socket, { address, addressType, flags }: Query, reply: Reply, otherwise: () => void): void {
    const any = addressType === 'udp6' ? '::' : '0.0.0.0';
    const handle = bindAnother(socket, { address: address || any, port: 0, flags: flags ?? 0 });
    if (handle === undefined) otherwise();
    else if (typeof handle === 'number') process.nextTick(reply, handle, null);
    else process.nextTick(reply, 0, handle);
  }

  #share(socket: Socket, query: Query, reply: Reply): void {
    const flags = query.flags ?? 0;
    const host = query.address || (query.addressType === 'udp6' ? '::' : '0.0.0.0');
    const request = {
      kind: 'udp' as const,
      host,
      port: query.port ?? 0,
      family: isIPv6(host) ? (6 as const) : (4 as const),
      ipv6Only: (flags & IPV6_ONLY) !== 0,
      reuseAddr: (flags & REUSE_ADDR) !== 0,
    };
    const { kind: _kind, reuseAddr, ...where } = request;
    const place = { name: JSON.stringify(where), isShared: reuseAddr || sharesPort(socket) };
    const before = [...this.#waiting.values()].find((waiting) => waiting.place.name === place.name);
    if (before !== undefined) {
      before.later.push(() => this.#share(socket, query, reply));
      return;
    }
    // In custody they would be one socket, of which each gets a part.
    const isTaken = ({ place: { name, isShared } }: Bound) => name === place.name && !(isShared && place.isShared);
    if (this.#open().some(({ bound }) => isTaken(bound))) {
      process.nextTick(reply, -os.constants.errno.EADDRINUSE, null);
      return;
    }
    const seq = this.#channel.ask();
    this.#waiting.set(seq, { socket, query, reply, place, later: [] });
    this.#channel.hold();
    const lost = () => void this.answer(seq, '', -os.constants.errno.EPIPE, undefined, false);
    this.#channel.send({ type: 'share', seq, request }, lost);
  }

  /**
   * @param hold nothing is received before `accept`
   * @returns whether it was asked for here
   */
  answer(seq: number, key: AddressKey, errno: number, handle: unknown, hold: boolean): boolean {
    const waiting = this.#waiting.get(seq);
    if (waiting === undefined) return false;
    this.#waiting.delete(seq);
    this.#channel.letGo();
    this.#answer(waiting, key, errno, handle, hold);
    for (const ask of waiting.later) ask();
    return true;
  }

  #answer(waiting: Waiting, key: AddressKey, errno: number, handle: unknown, hold: boolean): void {
    const { socket, reply, place } = waiting;
    if (errno !== 0 || !isUdpHandle(handle)) {
      reply(errno === 0 ? -os.constants.errno.EBADF : errno, null);
      return;
    }
    ofFamily(socket, handle);
    this.#watchClose(handle, key);
    if (hold) this.#hold(handle);
    // Before the application hears of it, which may join a group at once.
    const hasOwn = this.#guardMemberships(waiting, handle, key);
    reply(0, handle);
    // The application may have closed it meanwhile.
    if (hasOwn() || !isOpen(socket)) return;
    this.#add(socket, handle, key, place);
    this.#channel.send({ type: 'bound', key });
  }

  /** @returns whether a socket of its own has taken the place of the one that is shared */
  #guardMemberships({ socket, query, place }: Waiting, handle: UdpHandle, key: AddressKey): () => boolean {
    const flags = query.flags ?? 0;
    let hasOwn = false;
    // The shared one has SO_REUSEADDR: libuv sets it on every one that it takes over.
    const bind = () => {
      const any = query.addressType === 'udp6' ? '::' : '0.0.0.0';
      const own = bindAnother(socket, {
        address: query.address || any,
        port: query.port ?? 0,
        flags: flags | REUSE_ADDR,
      });
      return typeof own === 'number' ? undefined : own;
    };
    guardMemberships(socket, handle, {
      isDraining: () => this.#draining,
      another: () => ((flags & REUSE_ADDR) === 0 ? undefined : bind()),
      beside: bind,
      isHeld: () => isHeld(handle),
      onOwn: (own, renew) => {
        hasOwn = true;
        const ownKey = `${key}${OWN}`;
        this.#channel.send({ type: 'opened', key: ownKey });
        const add = (it: UdpHandle) => {
          this.#watchClose(it, ownKey);
          this.#add(socket, it, ownKey, place);
        };
        add(own);
        const begin = () => {
          const fresh = renew();
          if (fresh === undefined) return own;
          this.#closed.add(own);
          add(fresh);
          return fresh;
        };
        if (isHeld(handle)) this.#hold(own, begin);
        own.recvStart();
      },
    });
    return () => hasOwn;
  }

  #watchClose(handle: UdpHandle, key: AddressKey): void {
    const { close } = handle;
    handle.close = (callback) => {
      Reflect.deleteProperty(handle, 'close');
      this.#closed.add(handle);
      this.#channel.send({ type: 'closed', key });
      close.call(handle, callback);
    };
  }

  /** @param begin gives the one that is to receive then */
  #hold(handle: UdpHandle, begin = () => handle): void {
    let isWanted = false;
    this.#channel.hold();
    handle.recvStart = () => {
      isWanted = true;
      return 0;
    };
    this.#held.add(() => {
      Reflect.deleteProperty(handle, 'recvStart');
      this.#channel.letGo();
      if (!isWanted || this.#draining) return;
      const wanted = begin();
      if (!this.#closed.has(wanted)) wanted.recvStart();
    });
  }

  /** Nothing is held any more. */
  accept(): void {
    for (const begin of this.#held) begin();
    this.#held.clear();
  }

  #add(socket: Socket, handle: UdpHandle, key: AddressKey, place: Place): void {
    this.#bound.push({ socket: new WeakRef(socket), handle: new WeakRef(handle), key, place });
    if (this.#bound.length >= this.#sweepAt) this.#open();
    if (this.#draining) this.#stop(handle);
  }

  #open(): { bound: Bound; socket: Socket; handle: UdpHandle }[] {
    const open = this.#bound.flatMap((bound) => {
      const socket = bound.socket.deref();
      const handle = bound.handle.deref();
      // A socket may be open that has another handle since.
      if (socket === undefined || handle === undefined || this.#closed.has(handle) || !isOpen(socket)) return [];
      return [{ bound, socket, handle }];
    });
    this.#bound = open.map(({ bound }) => bound);
    this.#sweepAt = 2 * this.#bound.length + SWEEP_AFTER;
    return open;
  }

  /** For a supervisor that takes this worker over. One that is none but this worker's has no handle here. */
  account(): readonly { readonly key: AddressKey; readonly handle: UdpHandle | null }[] {
    return this.#open().map(({ bound: { key }, handle }) => ({ key, handle: key.endsWith(OWN) ? null : handle }));
  }

  /** Takes nothing more: what comes is there for the other workers, which read from the same sockets. */
  drain(): void {
    this.#draining = true;
    for (const { socket, handle } of this.#open()) {
      if (!isConnected(socket)) this.#stop(handle);
      // The answers of its peer come to a socket of its own; what waits in the shared one is its successor's.
      else if ((stateOf(socket)?.handle ?? handle) !== handle) handle.recvStop();
    }
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

function isHeld(handle: UdpHandle): boolean {
  return Object.hasOwn(handle, 'recvStart');
}
