/** A socket that an orphan has handed over goes into custody. */
import type { SocketId } from '../../core/types.js';
import type { NativeLoad } from '../../native/libc.js';
import type { Custody } from '../../sockets/custody.js';
import type { TcpHandle } from '../../sockets/handle.js';
import { placeOf } from '../../sockets/inherit.js';
import type { SharedSockets } from '../../sockets/shared.js';
import type { SharedHandle } from '../../sockets/shared-bind.js';

/** @returns null where it cannot be kept: the worker goes on to hold it */
export function takeSocket(
  handle: TcpHandle,
  { key, slot }: { readonly key: string; readonly slot: number },
  { custody, shared }: { readonly custody: Custody; readonly shared: SharedSockets },
  native: NativeLoad,
): SocketId | null {
  if (key.startsWith('unix:')) {
    const host = key.slice('unix:'.length);
    shared.takeOver({ kind: 'unix', handle, host, port: 0, family: 4, ipv6Only: false }, key);
    return { slot: null, key };
  }
  const place = typeof handle.getsockname === 'function' ? placeOf(handle, native) : null;
  if (place === null) {
    handle.close();
    return null;
  }
  if (key.startsWith('udp:')) {
    shared.takeOver({ kind: 'udp', handle: handle as unknown as SharedHandle, ...place }, key);
    return { slot: null, key };
  }
  custody.takeOver({ handle, ...place }, key, slot);
  const socket = custody.find(slot, key);
  return socket === undefined ? null : { slot: socket.slot, key };
}
