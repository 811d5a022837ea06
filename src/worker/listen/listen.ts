/**
 * Takes `listen` over at the place where node:cluster would ask its primary for a handle: arguments, name look-up,
 * errors and events stay Node's own, and whatever patches `net.Server.prototype.listen` does so above us.
 *
 * File descriptors stay with node:cluster; UDP is in `datagrams/`.
 */
import cluster from 'node:cluster';
import type { Server } from 'node:net';
import os from 'node:os';
import type { AddressKey, AddressRequest } from '../../protocol/worker.js';
import type { Channel } from '../channel/channel.js';
import { internals, refusedHandle, stopAccepting, type TcpHandle } from '../node/handle.js';
import { OWNER, symbolOf } from '../node/symbols.js';
import type { Account } from '../outlive/outlive.js';
import type { KeptPaths } from './kept-paths.js';
import { Listener, type Terms } from './listener.js';
import { overlaps } from './overlap.js';
import { absolute, bindPath, type OwnPaths } from './paths.js';
import {
  endpointOf,
  type GetServer,
  IPV6_ONLY,
  isPath,
  isTcp,
  type ListenQuery,
  present,
  type Reply,
  type Where,
} from './query.js';

/** After which a server counts: one that only looks whether a port is free has closed it again by then. */
const STEADY_MS = 100;
/** Kept from the start: applications replace it. */
const startTimer = setTimeout;
/** `sizeof(sun_path)` of Linux: a name that does not fit reaches nobody, and newer Nodes refuse it. */
const NAME_BYTES = 108;
const EADDRINUSE = -os.constants.errno.EADDRINUSE;

export class Listeners {
  readonly #channel: Channel;
  readonly #paths: KeptPaths;
  readonly #ownPaths: OwnPaths;
  readonly #onListening: (server: Server) => void;
  readonly #open = new Set<Listener>();
  readonly #waiting = new Map<number, { listener: Listener; reply: Reply }>();
  /** Servers that may have connections, also after the application has closed them. */
  readonly #servers = new Set<Server>();
  /** Where each server listens, or listened last. */
  readonly #addresses = new WeakMap<Server, AddressKey>();
  /** Told of what this Node turns out not to have. */
  onMissing: (what: string) => void = () => {};
  #checked = false;
  #closed = false;

  /** @param onListening called when a server begins to listen on a socket that the supervisor gave */
  constructor(channel: Channel, paths: KeptPaths, ownPaths: OwnPaths, onListening: (server: Server) => void) {
    this.#channel = channel;
    this.#paths = paths;
    this.#ownPaths = ownPaths;
    this.#onListening = onListening;
  }

  has(server: Server): boolean {
    return this.#servers.has(server);
  }

  install(): void {
    const seam = cluster as unknown as { _getServer: GetServer };
    const original = seam._getServer;
    if (typeof original !== 'function')
      throw new Error('this version of Node is not known: cluster._getServer is missing');
    seam._getServer = (server, query, reply) => {
      if (isTcp(query)) this.#listen(server, query, reply);
      else if (isPath(query)) this.#listenAt(server, query, reply);
      else original.call(cluster, server, query, this.#awaited(reply));
    };
  }

  /** A process that waits for nothing but an answer of node:cluster would end before it comes. */
  #awaited(reply: Reply): Reply {
    this.#channel.hold();
    return (...answer) => {
      this.#channel.letGo();
      reply(...answer);
    };
  }

  #listen(server: Server, query: ListenQuery, reply: Reply): void {
    const request = this.#request(query);
    if (request === undefined) {
      process.nextTick(reply, 0, refusedHandle(EADDRINUSE));
      return;
    }
    const seq = this.#wait(server, endpointOf(request), reply);
    this.#channel.send({ type: 'listen', seq, request }, () => this.#lost(seq));
  }

  #listenAt(server: Server, query: ListenQuery, reply: Reply): void {
    const name = query.address ?? '';
    if (Buffer.byteLength(name) > NAME_BYTES) {
      process.nextTick(reply, 0, refusedHandle(-os.constants.errno.EINVAL));
      return;
    }
    const path = absolute(name);
    // Node itself comes to it when there is no handle yet.
    const access = { readableAll: query.readableAll === true, writableAll: query.writableAll === true };
    // Nobody but this process is meant.
    if (!this.#paths.has(path) && this.#ownPaths.has(path)) {
      const handle = bindPath(path, access);
      if (typeof handle === 'number') process.nextTick(reply, 0, refusedHandle(handle));
      else process.nextTick(() => this.#listenOnOwn(server, handle, reply));
      return;
    }
    for (const { where, isGone } of this.#open) {
      if (where === path && !isGone) {
        process.nextTick(reply, 0, refusedHandle(EADDRINUSE));
        return;
      }
    }
    const seq = this.#wait(server, path, reply);
    const request = { kind: 'unix' as const, path, umask: process.umask(), ...access };
    this.#channel.send({ type: 'share', seq, request }, () => this.#lost(seq));
  }

  /** The supervisor has no part in it; a drain has. */
  #listenOnOwn(server: Server, handle: TcpHandle, reply: Reply): void {
    reply(0, handle);
    if (internals(server)._handle !== handle) return;
    this.#serve(server);
    if (this.#closed) stopAccepting(server);
  }

  #serve(server: Server): void {
    if (!this.#servers.has(server)) this.#onListening(server);
    this.#servers.add(server);
  }

  #wait(server: Server, where: Where, reply: Reply): number {
    const seq = this.#channel.ask();
    const listener = new Listener(this.#channel, server, where);
    this.#open.add(listener);
    this.#waiting.set(seq, { listener, reply });
    this.#channel.hold();
    return seq;
  }

  #lost(seq: number): void {
    this.answer(seq, '', -os.constants.errno.EPIPE, undefined);
  }

  /** The address in the supervisor's terms; undefined where this process listens on it already. */
  #request(query: ListenQuery): AddressRequest | undefined {
    const host = query.address || null;
    const family = query.addressType === 6 ? 6 : 4;
    const ipv6Only = ((query.flags ?? 0) & IPV6_ONLY) !== 0;
    const { port } = query;
    const taken = new Set<number>();
    for (const listener of this.#open) {
      // Sockets that share a port would split the connections between two servers, without an error.
      const { where } = listener;
      if (typeof where === 'string' || listener.isGone) continue;
      if (port !== 0 && overlaps({ host, port, ipv6Only }, present(where, listener.handle))) return undefined;
      if (port === 0 && where.port === 0 && where.host === host) taken.add(where.ordinal);
    }
    let ordinal = 0;
    while (taken.has(ordinal)) ordinal += 1;
    return { host, port, family, ipv6Only, ordinal };
  }

  /** To the server it looks as if it listened, whatever the terms. */
  answer(seq: number, key: AddressKey, errno: number, handle: TcpHandle | undefined, terms: Terms = {}): void {
    const waiting = this.#waiting.get(seq);
    this.#waiting.delete(seq);
    if (waiting === undefined) {
      handle?.close();
      return;
    }
    this.#channel.letGo();
    const { listener, reply } = waiting;
    if (errno !== 0 || handle === undefined) {
      this.#open.delete(listener);
      reply(0, refusedHandle(errno === 0 ? -os.constants.errno.EBADF : errno));
      return;
    }
    const { where } = listener;
    if (typeof where === 'string') this.#paths.opened(where);
    listener.take(key, handle, terms, () => {
      this.#open.delete(listener);
      if (typeof where === 'string') this.#paths.closed(where);
    });
    reply(0, handle);
    if (!listener.listens) {
      if (this.#open.has(listener)) handle.close();
      return;
    }
    this.#serve(listener.server);
    this.#addresses.set(listener.server, key);
    if (!this.#checked && symbolOf(handle, OWNER) === undefined) {
      this.onMissing(`adoption: handles have no ${OWNER}`);
    }
    this.#checked = true;
    this.#channel.send({ type: 'bound', key });
    startTimer(() => {
      if (!this.#open.has(listener) || this.#closed) return;
      listener.steady = true;
      this.#channel.send({ type: 'stayed', key });
    }, STEADY_MS).unref();
    if (this.#closed) listener.stop();
  }

  /** Nothing is held any more. */
  accept(): void {
    for (const listener of this.#open) listener.accept();
  }

  /** @param under the address of the server that is to accept on it, where that is another one */
  adopt(slot: number, key: AddressKey, handle: TcpHandle, under = key): void {
    const ok = (this.#closed ? undefined : this.#find(under))?.adopt(slot, key, handle) ?? false;
    if (!ok) handle.close();
    this.#channel.send({ type: 'adopted', key, slot, ok });
  }

  release(slot: number, key: AddressKey): void {
    this.#find(key)?.release(slot, key);
    this.#channel.send({ type: 'released', key, slot });
  }

  /** Stops accepting, on all sockets and for good. Connections are left alone. */
  closeAll(): void {
    this.#closed = true;
    for (const listener of [...this.#open]) listener.stop();
    for (const server of this.#servers) if (this.#isOwn(server) && server.listening) stopAccepting(server);
  }

  /** For a supervisor that takes this worker over. @param slot its own */
  account(slot: number): Pick<Account, 'held' | 'listening' | 'steady' | 'sockets'> {
    const open = this.#closed ? [] : [...this.#open];
    const sockets = open.flatMap((listener) => listener.sockets(slot));
    const listening = open
      .flatMap(({ key }) => key ?? [])
      .filter((key) => sockets.some((socket) => socket.key === key));
    const steady = open.flatMap((listener) => (listener.steady && listener.key) || []);
    return { held: open.some(({ held }) => held), listening, steady, sockets };
  }

  /** It has them. @param slot its own */
  releaseOthers(slot: number): void {
    for (const listener of this.#open) listener.releaseOthers(slot);
  }

  /** Connections that are open on all servers of the application, also on those that no longer listen. */
  countConnections(): number {
    const listening = new Set([...this.#open].map((listener) => listener.server));
    let count = 0;
    for (const server of this.#servers) {
      const { _connections: connections } = internals(server);
      count += connections;
      if (connections > 0 || listening.has(server) || server.listening || this.#closed) continue;
      this.#servers.delete(server);
    }
    return count;
  }

  get servers(): Iterable<Server> {
    return this.#servers;
  }

  /** Those that clients of the application know. */
  get shared(): Iterable<Server> {
    return [...this.#servers].filter((server) => !this.#isOwn(server));
  }

  #isOwn(server: Server): boolean {
    return !this.#addresses.has(server);
  }

  addressOf(server: Server): AddressKey | undefined {
    return this.#addresses.get(server);
  }

  /** The server that accepts there now. */
  serverAt(key: AddressKey): Server | undefined {
    return this.#closed ? undefined : this.#find(key)?.server;
  }

  #find(key: AddressKey): Listener | undefined {
    let wider: Listener | undefined;
    for (const listener of this.#open) {
      if (listener.key === key) return listener;
      if (listener.hasAdopted(key)) wider = listener;
    }
    return wider;
  }
}
