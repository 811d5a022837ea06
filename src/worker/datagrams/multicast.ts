/**
 * Multicast groups are a matter of one socket in the kernel: on one that is shared a second worker could not join, and each
 * datagram would come to one worker. An application that has asked for `reuseAddr` is made for a socket of its own in each
 * process, and gets it as soon as it joins a group. Any other joins on the socket that is shared, once for all.
 *
 * A peer that a socket is connected to is a matter of one socket, too: on one that is shared the second worker could not connect,
 * and answers to one would come to another.
 */
import type { Socket } from 'node:dgram';
import os from 'node:os';
import { type Methods, stateOf, type UdpHandle } from '../node/udp.js';

export interface Memberships {
  isDraining(): boolean;
  /** A socket of the worker's own at the same address; undefined where there can be none. */
  another(): UdpHandle | undefined;
  /** The same, beside the one that is shared, to be connected. */
  beside(): UdpHandle | undefined;
  /** Whether it is not to receive yet. */
  isHeld(): boolean;
  /**
   * It has taken the place of the one that is shared, and is to receive as soon as that may.
   *
   * @param renew puts an empty one in its place; undefined where it cannot
   */
  onOwn(handle: UdpHandle, renew: () => UdpHandle | undefined): void;
}

const CONNECT = ['connect', 'connect6'] as const;
const JOIN = ['addMembership', 'addSourceSpecificMembership'] as const;
const LEAVE = ['dropMembership', 'dropSourceSpecificMembership'] as const;
/** What has been set on the one holds for the other. */
const SETTERS = [
  ...['setBroadcast', 'setTTL', 'setMulticastTTL', 'setMulticastLoopback', 'setMulticastInterface'],
  'bufferSize',
] as const;
const EADDRINUSE = -os.constants.errno.EADDRINUSE;

export function guardMemberships(socket: Socket, shared: UdpHandle, memberships: Memberships): void {
  const methods = shared as unknown as Methods;
  const settings: [name: string, args: never[]][] = [];
  const guarded: string[] = [];
  const guard = (name: string, act: (method: (...args: never[]) => unknown, args: never[]) => unknown) => {
    const method = methods[name];
    if (method === undefined) return;
    guarded.push(name);
    methods[name] = (...args: never[]) => act(method, args);
  };
  for (const name of SETTERS) {
    guard(name, (method, args) => {
      settings.push([name, args]);
      return Reflect.apply(method, shared, args);
    });
  }
  for (const name of JOIN) {
    guard(name, (method, args) => {
      const own = memberships.another();
      const isOwn = own !== undefined && replace(socket, shared, own, guarded);
      if (!isOwn) own?.close();
      if (own !== undefined && isOwn) {
        const renew = memberships.isHeld() ? renewal(socket, own, memberships) : () => undefined;
        for (const [setter, values] of settings) Reflect.apply((own as unknown as Methods)[setter]!, own, values);
        memberships.onOwn(own, renew);
        // Only now: it is told as one that takes the other's place.
        shared.close();
        return Reflect.apply((own as unknown as Methods)[name]!, own, args);
      }
      const errno = Reflect.apply(method, shared, args);
      // Another worker has joined: it is one and the same socket.
      return errno === EADDRINUSE ? 0 : errno;
    });
  }
  for (const name of CONNECT) {
    guard(name, (method, args) => {
      const own = memberships.beside();
      if (own === undefined) return Reflect.apply(method, shared, args);
      const errno = Reflect.apply((own as unknown as Methods)[name]!, own, args);
      if (errno !== 0 || !replace(socket, shared, own, guarded)) {
        own.close();
        return errno === 0 ? Reflect.apply(method, shared, args) : errno;
      }
      for (const [setter, values] of settings) Reflect.apply((own as unknown as Methods)[setter]!, own, values);
      own.recvStart();
      const [host, port] = args as unknown as [string, number];
      stayBeside(own, shared, host, port);
      return 0;
    });
  }
  for (const name of LEAVE) {
    guard(name, (method, args) => {
      // Its successor is in the group by the same membership.
      return memberships.isDraining() ? 0 : Reflect.apply(method, shared, args);
    });
  }
}

/**
 * While one is held, its predecessor answers what both get: that waits in the held one, too, and would be answered once more. So
 * another one takes its place when it may receive, with all that has been set on it.
 */
function renewal(socket: Socket, held: UdpHandle, memberships: Memberships): () => UdpHandle | undefined {
  const methods = held as unknown as Methods;
  const calls: [name: string, args: never[]][] = [];
  const recorded: string[] = [];
  for (const name of [...SETTERS, ...JOIN, ...LEAVE]) {
    const method = methods[name];
    if (method === undefined) continue;
    recorded.push(name);
    methods[name] = (...args: never[]) => {
      calls.push([name, args]);
      return Reflect.apply(method, held, args);
    };
  }
  return () => {
    const fresh = memberships.another();
    if (fresh === undefined || !replace(socket, held, fresh, recorded)) {
      fresh?.close();
      return undefined;
    }
    for (const [name, args] of calls) Reflect.apply((fresh as unknown as Methods)[name]!, fresh, args);
    Reflect.deleteProperty(held, 'close');
    held.close();
    return fresh;
  };
}

type Receive = (count: number, handle: unknown, buffer: unknown, from?: { address: string; port: number }) => void;

/**
 * The shared one is kept until the other is closed, for the successor, and read: what the peer has sent while nobody was connected
 * waits there. What others send is thrown away, as the kernel does for a socket that is connected.
 */
function stayBeside(own: UdpHandle, shared: UdpHandle, host: string, port: number): void {
  const reader = shared as unknown as { onmessage?: Receive };
  const { onmessage: receive } = reader;
  reader.onmessage = (count, handle, buffer, from) => {
    if (from?.address === host && from.port === port) receive?.(count, handle, buffer, from);
  };
  shared.unref();
  const { close } = own;
  own.close = (callback) => {
    Reflect.deleteProperty(own, 'close');
    shared.close();
    close.call(own, callback);
  };
}

/** As Node itself does when its cluster has given a handle. @returns false where this Node does not let us */
function replace(socket: Socket, shared: UdpHandle, own: UdpHandle, guarded: readonly string[]): boolean {
  const state = stateOf(socket);
  if (state?.handle !== shared) return false;
  const from = shared as unknown as Record<PropertyKey, unknown>;
  for (const key of Reflect.ownKeys(shared)) {
    const isOurs = key === 'close' || key === 'recvStart' || guarded.includes(String(key));
    if (!isOurs) (own as unknown as Record<PropertyKey, unknown>)[key] = from[key];
  }
  if (!shared.hasRef()) own.unref();
  state.handle = own;
  return true;
}
