/**
 * Binds TCP sockets that do not listen. SO_REUSEADDR is set on each before it is bound, so that connections in
 * TIME_WAIT never delay a start: by libuv on Node's way, by us and libuv on the native way.
 *
 * Called by custody and by the platform probe. Must never leave a file descriptor open on failure.
 */
import type { AddressInfo } from 'node:net';
import { NativeError, type NativeLoad } from '../../native/libc.js';
import type { AddressRequest } from '../../protocol/worker.js';
import { createBoundHandle, type TcpHandle, UV_TCP_IPV6ONLY, UV_TCP_REUSEPORT, wrapFd } from '../handles/handle.js';
import { BindError, EACCES, EADDRINUSE, ENOTSUP } from './bind-error.js';

/** Who sets SO_REUSEPORT: Node by its own flag, or we through libc. null: nobody, the socket has SO_REUSEADDR only. */
export type ReusePortHow = 'node' | 'native' | null;

/** Whoever has it owns the handle. */
export interface BoundSocket {
  readonly handle: TcpHandle;
  /** The address that was really bound; never null. */
  readonly host: string;
  /** The port that was really bound; never 0. */
  readonly port: number;
  readonly family: 4 | 6;
  readonly ipv6Only: boolean;
}

/** A request whose host is settled. */
interface Target {
  readonly host: string;
  readonly port: number;
  readonly family: 4 | 6;
  readonly ipv6Only: boolean;
}

/**
 * Binds, without listening. Host null is `::`, or `0.0.0.0` on a machine without IPv6.
 *
 * @param native needed only for `how` 'native'
 * @throws BindError
 */
export function bindSocket(request: AddressRequest, how: ReusePortHow, native: NativeLoad): BoundSocket {
  return anyFamily(request, (target) => {
    if (how === 'native') return bindNative(target, native);
    return bindByNode(target, how === 'node' ? UV_TCP_REUSEPORT : 0);
  });
}

/** Stands for a socket that a server cannot have yet: bound to a port that nobody asks for, and never listened on. */
export function makeStandIn(): TcpHandle {
  const any: AddressRequest = { host: '127.0.0.1', port: 0, family: 4, ipv6Only: false, ordinal: 0 };
  try {
    return bindByNode({ ...any, host: '127.0.0.1' }, 0).handle;
  } catch {
    // A machine without IPv4.
    return bindByNode({ ...any, host: '::1', family: 6 }, 0).handle;
  }
}

/**
 * Whether nobody listens on the address, or on one that overlaps with it, be it with SO_REUSEPORT or without.
 * Asked before the first socket of a group: one that sets SO_REUSEPORT would be bound silently next to that of a
 * stranger of the same user, and split the traffic. A socket that is bound and does not listen yet goes unseen.
 *
 * @throws BindError for every fault but an address in use
 */
export function isAddressFree(request: AddressRequest): boolean {
  try {
    anyFamily(request, (target) => bindByNode(target, 0)).handle.close();
    return true;
  } catch (error) {
    if (error instanceof BindError && error.errno === EADDRINUSE) return false;
    throw error;
  }
}

/** Whether another socket with SO_REUSEPORT can be bound to its address: the kernel wants that of both, and one user. */
export function canBindBeside(socket: BoundSocket, how: ReusePortHow, native: NativeLoad): boolean {
  if (how === null) return false;
  try {
    bindSocket({ ...socket, ordinal: 0 }, how, native).handle.close();
    return true;
  } catch (error) {
    if (error instanceof BindError) return false;
    throw error;
  }
}

function anyFamily(
  { host, port, family, ipv6Only }: AddressRequest,
  bind: (target: Target) => BoundSocket,
): BoundSocket {
  if (host !== null) return bind({ host, port, family, ipv6Only: family === 6 && ipv6Only });
  try {
    return bind({ host: '::', port, family: 6, ipv6Only });
  } catch (error) {
    // A port that is taken or forbidden is no sign of a machine without IPv6.
    if (error instanceof BindError && (error.errno === EADDRINUSE || error.errno === EACCES)) throw error;
    return bind({ host: '0.0.0.0', port, family: 4, ipv6Only: false });
  }
}

function bindByNode(target: Target, flags: number): BoundSocket {
  const { host, port, family, ipv6Only } = target;
  const handle = createBoundHandle(host, port, family, flags | (ipv6Only ? UV_TCP_IPV6ONLY : 0));
  if (typeof handle === 'number') throw new BindError(target, handle);
  return verified(handle, target);
}

function bindNative(target: Target, native: NativeLoad): BoundSocket {
  const { host, port, family, ipv6Only } = target;
  const handle = openNative(target, native);
  const errno = family === 4 ? handle.bind(host, port) : handle.bind6(host, port, ipv6Only ? UV_TCP_IPV6ONLY : 0);
  if (errno !== 0) {
    handle.close();
    throw new BindError(target, errno);
  }
  return verified(handle, target);
}

function openNative(target: Target, load: NativeLoad): TcpHandle {
  if (!load.ok) {
    throw new BindError(target, ENOTSUP, { reason: `SO_REUSEPORT needs a call to libc, and ${load.reason}` });
  }
  const { native } = load;
  let fd: number;
  try {
    fd = native.openTcpSocket(target.family, { reusePort: true });
  } catch (cause) {
    if (cause instanceof NativeError) throw new BindError(target, cause.errno, { cause });
    throw cause;
  }
  try {
    return wrapFd(fd);
  } catch (cause) {
    native.close(fd);
    throw cause;
  }
}

/** libuv tells of a port in use only when the socket is asked for its name. */
function verified(handle: TcpHandle, target: Target): BoundSocket {
  const name: Partial<AddressInfo> = {};
  const errno = handle.getsockname(name);
  const { port } = name;
  if (errno !== 0 || port === undefined || (target.port !== 0 && port !== target.port)) {
    handle.close();
    throw new BindError(target, errno === 0 ? EADDRINUSE : errno);
  }
  return { ...target, handle, port };
}
