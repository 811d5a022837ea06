/** A socket of an orphan goes into custody: one that it has handed over, or that was taken from it. */

import type { SocketId } from '../../core/state/types.js';
import type { AnyEvent } from '../../core/supervision.js';
import type { NativeLoad } from '../../native/libc.js';
import { addressKey } from '../../sockets/address/address.js';
import type { SharedHandle } from '../../sockets/bind/shared-bind.js';
import type { Custody } from '../../sockets/custody/custody.js';
import type { SharedSockets } from '../../sockets/custody/shared.js';
import { type TcpHandle, wrapFd } from '../../sockets/handles/handle.js';
import { placeOf } from '../../sockets/inherit.js';
import type { KeptState } from './kept-state.js';

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

/** One of a worker that did not attach. @param slot its own: of the socket's nothing else may be known */
export function takeSeized(
  fd: number,
  slot: number,
  { custody, dispatch }: { readonly custody: Custody; readonly dispatch: (event: AnyEvent) => void },
  { native, known }: { readonly native: NativeLoad; readonly known: Pick<KeptState, 'knownAs'> },
): void {
  const handle = wrapFd(fd);
  const place = placeOf(handle, native);
  if (place === null) {
    handle.close();
    return;
  }
  const was = known.knownAs(handle);
  const key = was?.key ?? addressKey({ ...place, ordinal: 0 });
  const of = was?.slot ?? slot;
  custody.takeOver({ handle, ...place }, key, of);
  const socket = custody.find(of, key);
  if (socket !== undefined) dispatch({ type: 'socketOpened', socket: { slot: socket.slot, key }, listened: true });
}
