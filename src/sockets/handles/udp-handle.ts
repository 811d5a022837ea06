/** Node's raw UDP handle: how to get one that is bound to no `Socket`. Reaches into `node:dgram` here and nowhere else. */
import dgram from 'node:dgram';
import type { AddressInfo } from 'node:net';

/** As far as the supervisor uses it. Methods that return a number return 0 or a negative errno. */
export interface UdpHandle {
  readonly fd: number;
  open(fd: number): number;
  bind(host: string, port: number, flags: number): number;
  bind6(host: string, port: number, flags: number): number;
  getsockname(out: Partial<AddressInfo>): number;
  close(): void;
}

/** `uv_udp_flags` of libuv. */
export const UV_UDP_IPV6ONLY = 1;
export const UV_UDP_REUSEADDR = 4;

/** A handle of a `Socket` that is never bound itself: Node keeps it under a symbol. */
export function newUdpHandle(): UdpHandle {
  const socket = dgram.createSocket('udp4');
  const symbol = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'state symbol');
  const state = symbol && (socket as unknown as Record<symbol, { handle: UdpHandle } | undefined>)[symbol];
  if (state === undefined) throw new Error('this version of Node is not known: a socket has no handle');
  const { constructor: Udp } = state.handle as unknown as { constructor: new () => UdpHandle };
  socket.close();
  return new Udp();
}
