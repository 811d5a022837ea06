/**
 * Node's raw TCP handle, the thing behind `server._handle`: how to get one that is bound, or made from a file
 * descriptor, without accepting. Raw handles can be sent to a worker and stay open here; a `net.Server` cannot.
 *
 * Reaches into `node:net` at `_createServerHandle`, `Socket._handle` and the class of a pipe's handle, and nowhere else.
 */
import net, { type AddressInfo } from 'node:net';
import { getSystemErrorName } from 'node:util';

/** As far as the supervisor uses it. Methods that return a number return 0 or a negative errno. */
export interface TcpHandle {
  readonly fd: number;
  onconnection: ((status: number, client: TcpHandle | undefined) => void) | null;
  bind(host: string, port: number): number;
  bind6(host: string, port: number, flags: number): number;
  listen(backlog: number): number;
  getsockname(out: Partial<AddressInfo>): number;
  /** The file descriptor is closed at once, `callback` comes later. */
  close(callback?: () => void): void;
  ref(): void;
  unref(): void;
}

/** `uv_tcp_flags` of libuv. A Node that does not know a flag ignores it. */
export const UV_TCP_IPV6ONLY = 1;
export const UV_TCP_REUSEPORT = 2;

interface NetInternals {
  _createServerHandle(host: string, port: number, family: 4 | 6, fd: -1, flags: number): TcpHandle | number;
}

/**
 * Binds as Node does, with SO_REUSEADDR, and does not listen. A port that is taken is not told here: libuv keeps
 * EADDRINUSE back until `listen` or `getsockname`.
 *
 * @returns a negative errno on failure
 */
export function createBoundHandle(host: string, port: number, family: 4 | 6, flags: number): TcpHandle | number {
  return (net as unknown as NetInternals)._createServerHandle(host, port, family, -1, flags);
}

/**
 * Takes over a unix socket for datagrams, for reading: libuv has no kind of its own for those, and reads them as any pipe, each of
 * its reads one datagram. For `new Socket({ handle })`, which owns `fd` from then on.
 *
 * @param like an open stream that is a pipe
 * @param fd must be non-blocking
 * @throws where libuv refuses it; `fd` is still the caller's then
 */
export function wrapPipe(like: object, fd: number): object {
  const { _handle: handle } = like as {
    readonly _handle?: { readonly constructor: new (kind: 0) => PipeHandle } | null;
  };
  if (!handle) throw new Error(`cannot take over file descriptor ${fd}: the stream has ended`);
  const pipe = new handle.constructor(0);
  const errno = pipe.open(fd);
  if (errno) throw new Error(`cannot take over file descriptor ${fd}: ${getSystemErrorName(errno)}`);
  return pipe;
}

interface PipeHandle {
  open(fd: number): number | undefined;
}

/**
 * Takes over a TCP socket that libc has opened. The handle owns `fd` from then on.
 *
 * @param fd must be non-blocking
 * @throws where libuv refuses it; `fd` is still the caller's then
 */
export function wrapFd(fd: number): TcpHandle {
  const socket = new net.Socket({ fd, readable: false, writable: false }) as net.Socket & { _handle: TcpHandle | null };
  const handle = socket._handle;
  if (handle === null) throw new Error(`cannot take over file descriptor ${fd}: node:net made no handle of it`);
  // Detached: nothing that happens to the Socket may close the handle.
  socket._handle = null;
  return handle;
}
