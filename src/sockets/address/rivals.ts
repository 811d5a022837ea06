/** Which sockets that are there already concern a request for another address. Pure. */
import { covers } from '../../core/adoption/overlap.js';
import type { AddressRequest } from '../../protocol/worker.js';
import { addressKey, type Endpoint, isSame, overlaps } from './address.js';

interface Present extends Endpoint {
  readonly key: string;
  /** null where all slots share it. */
  readonly slot: number | null;
}

/**
 * The same request by the name under which its address is there already: `*` and `::` are one address, and one socket of it
 * serves both.
 */
export function asNamed(sockets: readonly Present[], request: AddressRequest): AddressRequest {
  const key = addressKey(request);
  if (request.port === 0 || sockets.some((socket) => socket.key === key)) return request;
  const same = sockets.find((socket) => !socket.key.includes(':0#') && isSame(socket, request));
  if (same === undefined) return request;
  const host = same.key.startsWith('*:') ? null : same.host;
  return { ...request, host, family: host === null ? request.family : 6 };
}

/**
 * Those beside which it cannot be opened, or would take away connections: of sockets that all slots share those that overlap
 * with it, of others those that take it in.
 */
export function rivalsOf<T extends Present>(
  sockets: readonly T[],
  slot: number,
  request: AddressRequest,
): readonly T[] {
  const key = addressKey(request);
  if (request.port === 0) return [];
  if (sockets.some((socket) => socket.key === key && (socket.slot === null || socket.slot === slot))) return [];
  return sockets.filter((socket) => {
    if (socket.key === key) return false;
    return socket.slot === null ? overlaps(socket, request) : covers(socket, request);
  });
}
