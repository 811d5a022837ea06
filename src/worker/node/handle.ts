/** Node's raw TCP handle (`server._handle`), as far as the preload uses it, and two things that it does with it. */
import type { AddressInfo, Server } from 'node:net';
import { OWNER, symbolOf } from './symbols.js';

export interface TcpHandle {
  onconnection: (this: TcpHandle, ...args: unknown[]) => unknown;
  listen(backlog: number): number;
  close(callback?: () => void): void;
  /** Pipes have none. */
  getsockname?(out: Partial<AddressInfo>): number;
  ref(): void;
  unref(): void;
  hasRef(): boolean;
}

/** The fields of a server that Node keeps for itself and that node:cluster reaches into as well. */
export type ServerInternals = Server & {
  _handle: TcpHandle | null;
  _connections: number;
  /** Another one for each time that it has been closed. */
  readonly _listeningId?: number;
};

export function internals(server: Server): ServerInternals {
  return server as ServerInternals;
}

/**
 * Lets `server` accept on a second socket: the handle gets the same callback and the same owner, so that every option
 * and every count of the server applies as for its own.
 *
 * @returns false where this Node does not let us
 */
export function acceptOn(
  { server, backlog }: { readonly server: Server; readonly backlog: number },
  own: TcpHandle,
  handle: TcpHandle,
): boolean {
  const owner = symbolOf(own, OWNER);
  if (owner === undefined) return false;
  handle.onconnection = own.onconnection;
  (handle as unknown as Record<symbol, unknown>)[owner] = server;
  if (handle.listen(backlog) !== 0) return false;
  if (!own.hasRef()) handle.unref();
  return true;
}

/** What of a handle does nothing. */
export function idle(): Omit<TcpHandle, 'getsockname' | 'listen'> {
  return {
    onconnection: () => {},
    close: (callback) => {
      if (callback !== undefined) setImmediate(callback);
    },
    ref: () => {},
    unref: () => {},
    hasRef: () => false,
  };
}

/** Of refused handles: their errnos. */
const refusals = new WeakMap<object, number>();

/**
 * A handle for a server that may not listen: Node finds that out as without a cluster, with the same error, and may close it
 * before, where the application has closed the server meanwhile.
 */
export function refusedHandle(errno: number): TcpHandle {
  const handle = { ...idle(), listen: () => errno } as unknown as TcpHandle;
  refusals.set(handle, errno);
  return handle;
}

/** The errno of such a handle. */
export function refusalOf(handle: object): number | undefined {
  return refusals.get(handle);
}

/**
 * Closes the server's listening handle and leaves one in its place that does nothing: the server goes on to look as if
 * it listened, so that the application's own `server.close()` later works as always.
 */
export function stopAccepting(server: Server): void {
  const { _handle: handle } = internals(server);
  if (handle === null) return;
  const address: Partial<AddressInfo> = {};
  handle.getsockname?.(address);
  const still = {
    ...idle(),
    listen: () => 0,
    // Where there is none, the server knows the path itself.
    ...(handle.getsockname !== undefined && {
      getsockname: (out: Partial<AddressInfo>) => {
        Object.assign(out, address);
        return 0;
      },
    }),
    getAsyncId: () => 0,
    fd: -1,
  };
  internals(server)._handle = still;
  handle.close();
}
