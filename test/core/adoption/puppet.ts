/** A worker without a process: what is known of it, and how it is. */
import type { Standing } from '../../../src/core/state/standing.js';
import type { SocketId } from '../../../src/core/state/types.js';

/** The addresses of one port, each of which takes in those before it. */
export const HOSTS = ['127.0.0.1:80', '0.0.0.0:80', '[::]:80'];

export function isWider(wide: string, narrow: string): boolean {
  return HOSTS.indexOf(wide) > HOSTS.indexOf(narrow) && HOSTS.includes(narrow);
}

export interface Puppet {
  readonly id: number;
  readonly slot: number;
  readonly isAble: boolean;
  /** What it is to listen on. */
  readonly keys: readonly string[];
  /** On these it only seems to listen. */
  seeming: string[];
  /** Further ones on which the server of a wider one accepts, by that. */
  readonly widened: Map<string, string[]>;
  /** As it is known: what it told, and what it was told. */
  standing: Standing;
  listening: readonly string[];
  /** As it is. */
  alive: boolean;
  /** Given to it, but it does not listen yet. */
  opening: string[];
  accepts: string[];
  adopted: SocketId[];
  lastHeardAt: number;
  lastToldAt: number;
}

export function isGoing({ standing }: Puppet): boolean {
  return standing === 'leaving' || standing === 'ended';
}

/** Or seems to. */
export function uses({ accepts, seeming }: Puppet, key: string): boolean {
  return accepts.includes(key) || seeming.includes(key);
}

export function isOwn(puppet: Puppet, { slot }: SocketId): boolean {
  return slot === null || slot === puppet.slot;
}

export function without(sockets: readonly SocketId[], socket: SocketId): SocketId[] {
  return sockets.filter((other) => nameOf(other) !== nameOf(socket));
}

export function nameOf({ slot, key }: SocketId): string {
  return `${slot} ${key}`;
}
