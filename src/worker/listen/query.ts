/** What Node asks its cluster for when a server is to listen, and what of it is kept. */
import type { AddressInfo, Server } from 'node:net';
import type { AddressRequest } from '../../protocol/worker.js';
import type { TcpHandle } from '../node/handle.js';
import type { Endpoint } from './overlap.js';

/** `addressType` is a string for UDP and -1 for a unix socket or a pipe. */
export interface ListenQuery {
  readonly address: string | null | undefined;
  readonly port: number;
  readonly addressType: number | string | null;
  readonly fd: number | null | undefined;
  readonly flags: number | null | undefined;
  /** Of a unix socket. */
  readonly readableAll?: boolean | undefined;
  readonly writableAll?: boolean | undefined;
}
/** Node closes the handle where the server has been closed meanwhile, whatever the errno: there must always be one. */
export type Reply = (errno: number, handle: TcpHandle) => void;
export type GetServer = (server: Server, query: ListenQuery, reply: Reply) => void;

export const IPV6_ONLY = 1;
const PATH = -1;

/** What was asked for: a path is that of a unix socket. */
export type Where = (Endpoint & { readonly ordinal: number }) | string;

export function isTcp(query: ListenQuery): boolean {
  return !isByFd(query) && (query.addressType === 4 || query.addressType === 6);
}

export function isPath(query: ListenQuery): boolean {
  return query.addressType === PATH && Boolean(query.address) && !isByFd(query) && process.platform !== 'win32';
}

function isByFd({ fd }: ListenQuery): boolean {
  return typeof fd === 'number' && fd >= 0;
}

export function endpointOf({ host, port, ipv6Only, ordinal }: AddressRequest): Endpoint & { readonly ordinal: number } {
  return { host, port, ipv6Only, ordinal };
}

/** Where it really listens, once it does: a port of 0 has become a number then. */
export function present({ host, port, ipv6Only }: Endpoint, handle: TcpHandle | undefined): Endpoint {
  const address: Partial<AddressInfo> = {};
  handle?.getsockname?.(address);
  return { host, ipv6Only, port: address.port ?? port };
}
