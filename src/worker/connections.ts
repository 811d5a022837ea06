/**
 * The connections that a worker has open, and what each of them is. Seen by diagnostics channels and two events; nothing
 * is put on a socket, and one that has closed is forgotten in time without a listener of its own.
 */
import diagnosticsChannel from 'node:diagnostics_channel';
import type { ServerResponse } from 'node:http';
import type { Http2Server, ServerHttp2Session } from 'node:http2';
import type { Server, Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { TLSSocket } from 'node:tls';
import type { ConnectionCounts, ConnectionKind, OpenConnection } from '../protocol.js';

/** A socket, and what Node and others keep on it for themselves. */
export type ServerSocket = Socket & {
  server?: Server;
  parser?: object | null;
  /** The answer that is being written. */
  _httpMessage?: ServerResponse | null;
};

export interface Connection {
  readonly socket: ServerSocket;
  readonly acceptedAt: number;
  session?: ServerHttp2Session;
}

/** A connection over TLS has a socket beneath it. */
type LayeredSocket = TLSSocket & { _parent?: Socket };

/** An instance of `ws`, as far as it is used here: other libraries put nothing of that name on their sockets. */
export interface WebSocketLike {
  close(code: number, reason: string): void;
}

/** As many of the connections that are cut off are named, the oldest first: a log line has to end somewhere. */
const MOST_NAMED = 20;
const LONGEST_PATH = 200;
/** Closed ones are swept out when there are this many more than after the last time. */
const SWEEP_AFTER = 64;

export class Connections {
  readonly #open = new Map<Socket, Connection>();
  readonly #isOurs: (server: Server) => boolean;
  #sweepAt = SWEEP_AFTER;
  #latest: Connection | undefined;
  /** A session whose connection has not been told yet. */
  #early: ServerHttp2Session | undefined;
  /** Accepted since the process began. */
  accepted = 0;

  /** @param isOurs whether the server listens on sockets that the supervisor gave */
  constructor(isOurs: (server: Server) => boolean) {
    this.#isOurs = isOurs;
  }

  install(): void {
    diagnosticsChannel.subscribe('net.server.socket', (message) => {
      const { socket } = message as { socket: ServerSocket };
      if (socket.server === undefined || !this.#isOurs(socket.server)) return;
      this.accepted += 1;
      const connection: Connection = { socket, acceptedAt: performance.now() };
      this.#add(connection);
      if (this.#early !== undefined && isOver(this.#early, socket)) connection.session = this.#early;
      this.#early = undefined;
    });
  }

  /** A server begins to listen: those of TLS and HTTP/2 say themselves what becomes of a connection. */
  watch(server: Server): void {
    // First, so that it is known which connection a session is for.
    if (isTls(server)) server.prependListener('secureConnection', (socket: LayeredSocket) => this.#layered(socket));
    if (isHttp2(server)) server.on('session', (session) => this.#sessionBegan(session));
  }

  list(): Connection[] {
    this.#sweep();
    return [...this.#open.values()];
  }

  counts(): ConnectionCounts {
    const counts: Partial<Record<ConnectionKind, number>> = {};
    for (const connection of this.list()) {
      const kind = kindOf(connection);
      counts[kind] = (counts[kind] ?? 0) + 1;
    }
    return counts;
  }

  /** The oldest ones, for the log. */
  describe(): OpenConnection[] {
    const now = performance.now();
    return this.list()
      .sort((a, b) => a.acceptedAt - b.acceptedAt)
      .slice(0, MOST_NAMED)
      .map((connection) => {
        const { socket, acceptedAt } = connection;
        const { remoteAddress, remotePort } = socket;
        const remote = remoteAddress === undefined ? null : `${remoteAddress} ${remotePort}`;
        return { kind: kindOf(connection), ageMs: Math.round(now - acceptedAt), remote, path: pathOf(socket) };
      });
  }

  #add(connection: Connection): void {
    this.#open.set(connection.socket, connection);
    this.#latest = connection;
    if (this.#open.size >= this.#sweepAt) this.#sweep();
  }

  #layered(socket: LayeredSocket): void {
    const below = socket._parent;
    const known = below === undefined ? undefined : this.#open.get(below);
    if (below === undefined || known === undefined) return;
    this.#open.delete(below);
    this.#add({ socket, acceptedAt: known.acceptedAt });
  }

  /** Over TLS it begins with the latest connection; else Node tells of the session first, and then of the connection. */
  #sessionBegan(session: ServerHttp2Session): void {
    if (this.#latest !== undefined && isOver(session, this.#latest.socket)) this.#latest.session = session;
    else this.#early = session;
  }

  #sweep(): void {
    for (const socket of this.#open.keys()) if (socket.destroyed) this.#open.delete(socket);
    this.#sweepAt = 2 * this.#open.size + SWEEP_AFTER;
    if (this.#latest?.socket.destroyed === true) this.#latest = undefined;
  }
}

function isOver({ socket: of }: ServerHttp2Session, socket: Socket): boolean {
  return of.remotePort === socket.remotePort && of.remoteAddress === socket.remoteAddress;
}

export function kindOf({ socket, session }: Connection): ConnectionKind {
  if (session !== undefined) return 'http2';
  if (webSocketOf(socket) !== undefined) return 'websocket';
  if (socket.parser) return 'http1';
  return socket.server !== undefined && isHttp(socket.server) ? 'upgraded' : 'other';
}

/** The WebSocket that `ws` runs on the socket, which it keeps there under a symbol of this name. */
export function webSocketOf(socket: Socket): WebSocketLike | undefined {
  for (const symbol of Object.getOwnPropertySymbols(socket)) {
    if (symbol.description !== 'websocket') continue;
    const found = (socket as unknown as Record<symbol, unknown>)[symbol];
    if (typeof (found as WebSocketLike | undefined)?.close === 'function') return found as WebSocketLike;
  }
  return undefined;
}

export function isHttp(server: Server): boolean {
  return typeof (server as { closeIdleConnections?: unknown }).closeIdleConnections === 'function';
}

function isTls(server: Server): boolean {
  return typeof (server as { setSecureContext?: unknown }).setSecureContext === 'function';
}

function isHttp2(server: Server): server is Server & Http2Server {
  return typeof (server as { updateSettings?: unknown }).updateSettings === 'function';
}

/** Without the query: secrets are found there. */
function pathOf({ _httpMessage: answer }: ServerSocket): string | null {
  const url = answer?.req?.url;
  return url === undefined ? null : (url.split('?', 1)[0] ?? '').slice(0, LONGEST_PATH);
}
