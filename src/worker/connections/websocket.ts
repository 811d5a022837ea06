/**
 * Which WebSocket runs on a socket. Node knows none, and no library says so in public: each is found by what it leaves on
 * the socket, and used by what that has in common with the others.
 */
import type { Socket } from 'node:net';

export interface WebSocketLike {
  close(code: number, reason: string): void;
  /** What `ws` uses for the two directions. */
  readonly _receiver?: Receiver | null;
  readonly _sender?: Sender | null;
  /** What has been sent and has not left yet, in bytes. */
  readonly bufferedAmount?: number;
}

/** Emits `message` for each one that has come whole, `ping` and `pong`. */
export interface Receiver {
  prependListener(event: string, listener: (data?: unknown) => void): unknown;
  off(event: string, listener: (data?: unknown) => void): unknown;
}

/** Has each frame go through here: its head and its content, or both in one. */
export interface Sender {
  sendFrame(list: readonly (Uint8Array | string)[], callback?: unknown): unknown;
}

/** The stream of `websocket-driver` into which `faye-websocket` and `sockjs` pipe the socket. */
interface DriverStream {
  readonly _driver?: { close?(reason: string, code: number): unknown; readonly readyState?: unknown };
}

/** That of `ws`, under a symbol of this name, which is also in what is built on it or carries a copy of it; else a driver's. */
export function webSocketOf(socket: Socket): WebSocketLike | undefined {
  for (const symbol of Object.getOwnPropertySymbols(socket)) {
    if (symbol.description !== 'websocket') continue;
    const found = (socket as unknown as Record<symbol, unknown>)[symbol];
    if (typeof (found as WebSocketLike | undefined)?.close === 'function') return found as WebSocketLike;
  }
  return driven(socket);
}

function driven(socket: Socket): WebSocketLike | undefined {
  const { pipes } = (socket as { _readableState?: { pipes?: unknown } })._readableState ?? {};
  if (!Array.isArray(pipes)) return undefined;
  for (const stream of pipes as DriverStream[]) {
    const driver = stream?._driver;
    if (typeof driver?.close !== 'function' || typeof driver.readyState !== 'number') continue;
    return { close: (code, reason) => void driver.close?.(reason, code) };
  }
  return undefined;
}
