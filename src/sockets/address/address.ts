/** Names of addresses, and which addresses get in each other's way. Pure. */
import { isIPv4 } from 'node:net';
import type { AddressKey, AddressRequest, SharedRequest } from '../../protocol/worker.js';

/** `127.0.0.1:80`, `[::1]:80`, `*:80`. */
export function formatAddress(host: string | null, port: number): string {
  if (host === null) return `*:${port}`;
  return isIPv4(host) ? `${host}:${port}` : `[${host}]:${port}`;
}

/**
 * The same for the same request in every slot and generation: `0.0.0.0:3000`, `[::]:3000`, `*:0#1` (the second
 * `listen(0)`), `[::]:3000,v6only`.
 */
export function addressKey(request: AddressRequest): AddressKey {
  const { host, port, ipv6Only, ordinal } = request;
  const v6only = ipv6Only && (host === null || !isIPv4(host));
  return `${formatAddress(host, port)}${port === 0 ? `#${ordinal}` : ''}${v6only ? ',v6only' : ''}`;
}

/** `unix:/run/app.sock`, `unix:@abstract`, `udp:0.0.0.0:53`. */
export function sharedKey(request: SharedRequest): AddressKey {
  if (request.kind === 'unix') return formatShared('unix', request.path, 0);
  const { host, port, family, ipv6Only } = request;
  return `${formatShared('udp', host, port)}${family === 6 && ipv6Only ? ',v6only' : ''}`;
}

/** @param host the path of a unix socket */
export function formatShared(kind: SharedRequest['kind'], host: string, port: number): string {
  return kind === 'unix' ? `unix:${host.replace(/^\0/, '@')}` : `udp:${formatAddress(host, port)}`;
}

export { type Endpoint, isSame, overlaps } from '../../core/adoption/overlap.js';
