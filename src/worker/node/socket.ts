/** Node's sockets of connections, and what it keeps on them for itself. */
import type { ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { TcpHandle } from './handle.js';

/** A socket, and what Node and others keep on it for themselves. */
export type ServerSocket = Socket & {
  server?: Server;
  parser?: object | null;
  /** The answer that is being written. */
  _httpMessage?: ServerResponse | null;
};

/** A connection over TLS has a socket beneath it. */
export type LayeredSocket = TLSSocket & { _parent?: Socket };

/** A socket's handle, as far as moving needs it. */
export interface ConnectionHandle extends TcpHandle {
  /** Negative once it has been closed. */
  readonly fd: number;
  reading: boolean;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Bytes that libuv still holds. */
  readonly writeQueueSize: number;
  readStart: () => number;
  readStop(): number;
  onread?: unknown;
}

export type MovableSocket = ServerSocket & {
  _handle?: ConnectionHandle | null;
  readonly encrypted?: boolean;
  _paused?: boolean;
};
