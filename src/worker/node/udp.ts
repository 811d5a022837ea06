/** Node's raw UDP handle, as far as it is used here, and where a socket keeps it. */
import type { Socket } from 'node:dgram';
import { symbolOf } from './symbols.js';

export interface UdpHandle {
  recvStart(): number;
  recvStop(): number;
  send(...args: unknown[]): number;
  bind(host: string, port: number, flags: number): number;
  bind6?(host: string, port: number, flags: number): number;
  connect?(host: string, port: number): number;
  connect6?(host: string, port: number): number;
  close(callback?: () => void): void;
  hasRef(): boolean;
  unref(): void;
}

/** Methods that a handle has by itself once something has been put before its own, by name. */
export type Methods = Record<string, ((...args: never[]) => unknown) | undefined>;

interface State {
  handle: UdpHandle | null;
  /** Of newer versions of Node. */
  reusePort?: boolean;
}

export function stateOf(socket: Socket): State | undefined {
  const symbol = symbolOf(socket, 'state symbol');
  return symbol && (socket as unknown as Record<symbol, State | undefined>)[symbol];
}

export function isUdpHandle(handle: unknown): handle is UdpHandle {
  const { recvStop, send } = (handle ?? {}) as Partial<UdpHandle>;
  return typeof recvStop === 'function' && typeof send === 'function';
}

/** One more of the kind of the socket's own, bound; a negative errno where that cannot be. */
export function bindAnother(
  socket: Socket,
  { address, port, flags }: { readonly address: string; readonly port: number; readonly flags: number },
): UdpHandle | number | undefined {
  const own = stateOf(socket)?.handle;
  if (!own) return undefined;
  const handle = new (own.constructor as new () => UdpHandle)();
  const bind = address.includes(':') ? handle.bind6 : handle.bind;
  const errno = bind?.call(handle, address, port, flags) ?? 0;
  if (errno === 0) return ofFamily(socket, handle);
  handle.close();
  return errno;
}

/** Node gives one that takes another's place the other's methods, but not this one: IPv6 could not connect. */
export function ofFamily(socket: Socket, handle: UdpHandle): UdpHandle {
  const { type } = socket as unknown as { type: string };
  if (type === 'udp6' && handle.connect6 !== undefined) handle.connect = handle.connect6;
  return handle;
}

export function isOpen(socket: Socket): boolean {
  try {
    socket.address();
    return true;
  } catch {
    return false;
  }
}

export function isConnected(socket: Socket): boolean {
  try {
    socket.remoteAddress();
    return true;
  } catch {
    return false;
  }
}
