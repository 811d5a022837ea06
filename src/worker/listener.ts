/** One server of the application that listens, or waits to: what is known of it, and what it is shown. */
import type { Server } from 'node:net';
import type { AddressKey } from '../protocol.js';
import type { TcpHandle } from './node/handle.js';
import type { Where } from './query.js';

interface Adopted {
  readonly key: AddressKey;
  readonly handle: TcpHandle;
}

/** What comes with a socket, beside its address. */
export interface Terms {
  readonly hold?: boolean | undefined;
  readonly standIn?: boolean | undefined;
}

export interface Listener {
  readonly where: Where;
  readonly server: Server;
  key: AddressKey | undefined;
  handle: TcpHandle | undefined;
  /** As the application asked for; it holds for whoever accepts on a socket of this address. */
  backlog: number;
  /** Further sockets on which it accepts, by slot and address. */
  readonly adopted: Map<string, Adopted>;
  /** Begins to accept, where that has been put off. */
  begin: (() => void) | undefined;
  /** Its handle is none of its address: that comes later, if at all. */
  standIn: boolean;
  /** Nothing is accepted before `accept`. */
  held: boolean;
}

export function nameOf(slot: number, key: AddressKey): string {
  return `${slot} ${key}`;
}

/** The handle of something else says what the server is to hear, and its sockets keep the process alive as it does. */
export function standIn({ where, adopted }: Listener, handle: TcpHandle): void {
  if (typeof where === 'string') return;
  const { host, port } = where;
  const address = host ?? '::';
  handle.getsockname = (out) => {
    Object.assign(out, { address, port, family: address.includes(':') ? 'IPv6' : 'IPv4' });
    return 0;
  };
  for (const name of ['ref', 'unref'] as const) {
    const original = handle[name];
    handle[name] = () => {
      original.call(handle);
      for (const other of adopted.values()) other.handle[name]();
    };
  }
}
