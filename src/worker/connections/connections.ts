/**
 * The connections that a worker has open, and what each of them is. Looked up when somebody wants to know: a list kept up to
 * date would hold every socket for longer than it lives, which costs short connections several percent. Only a worker that
 * drains keeps one, made once: it gets hardly any new ones.
 */
import diagnosticsChannel from 'node:diagnostics_channel';
import type { Http2Server, ServerHttp2Session } from 'node:http2';
import type { Server, Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { ConnectionCounts, ConnectionKind, OpenConnection } from '../../protocol/measured.js';
import type { LayeredSocket, ServerSocket } from '../node/socket.js';
import { isHealthConnection } from './health.js';
import { UsualProperties } from './movable.js';
import { acceptedAt, mark } from './stamp.js';
import { webSocketOf } from './websocket.js';

export interface Connection {
  readonly socket: ServerSocket;
  readonly acceptedAt: number;
  session?: ServerHttp2Session;
}

/** As many of the connections that are cut off are named, the oldest first: a log line has to end somewhere. */
const MOST_NAMED = 20;
const LONGEST_PATH = 200;
/** What has closed is swept out when there are this many more than after the last time. */
const SWEEP_AFTER = 64;

/** Sockets of TLS and sessions of HTTP/2: Node does not list them, and each costs far more than a place in a set. */
class Open<T extends { readonly destroyed: boolean }> {
  readonly #all = new Set<T>();
  #sweepAt = SWEEP_AFTER;

  add(one: T): void {
    this.#all.add(one);
    if (this.#all.size >= this.#sweepAt) this.list();
  }

  list(): T[] {
    for (const one of this.#all) if (one.destroyed) this.#all.delete(one);
    this.#sweepAt = 2 * this.#all.size + SWEEP_AFTER;
    return [...this.#all];
  }
}

export class Connections {
  readonly #isOurs: (server: Server) => boolean;
  readonly #secure = new Open<LayeredSocket>();
  readonly #sessions = new Open<ServerHttp2Session>();
  /** Accepted since the process began. */
  accepted = 0;
  /** What the sockets of plain HTTP servers have on them from their beginning. */
  readonly usual = new UsualProperties();
  /** What has been open at some time since `follow`; undefined before. */
  #followed: Map<ServerSocket, Connection> | undefined;
  #onOpened: (connection: Connection) => void = () => {};
  /** Told of the server of each connection that is accepted. Must not throw. */
  onAccepted: ((server: Server) => void) | undefined;

  /** @param isOurs whether the server listens on sockets that the supervisor gave */
  constructor(isOurs: (server: Server) => boolean) {
    this.#isOurs = isOurs;
  }

  install(): void {
    diagnosticsChannel.subscribe('net.server.socket', (message) => {
      const { socket } = message as { socket: ServerSocket };
      if (socket.server === undefined || !this.#isOurs(socket.server)) return;
      this.accepted += 1;
      mark(socket);
      this.usual.accepted(socket);
      if (this.onAccepted !== undefined) this.onAccepted(socket.server);
      if (this.#followed !== undefined && !isTls(socket.server)) this.#add(socket);
    });
  }

  /** A server begins to listen: those of TLS and HTTP/2 say themselves what becomes of a connection. */
  watch(server: Server): void {
    if (isTls(server)) {
      server.on('secureConnection', (socket: LayeredSocket) => {
        if (isHealthConnection(socket)) return;
        this.#secure.add(socket);
        if (this.#followed !== undefined) this.#add(socket);
      });
    } else if (isHttp(server)) this.usual.watch(server);
    if (isHttp2(server)) {
      server.on('session', (session) => {
        if (isHealthConnection(session)) return;
        this.#sessions.add(session);
        for (const connection of this.#followed?.values() ?? []) {
          if (peerOf(connection.socket) === peerOf(session.socket)) connection.session = session;
        }
      });
    }
  }

  /**
   * From now on what is open is kept in a list.
   *
   * @param onOpened told of each connection that comes later: a handshake of TLS may still be under way
   */
  follow(onOpened: (connection: Connection) => void): Connection[] {
    const open = this.list();
    this.#followed = new Map(open.map((connection) => [connection.socket, connection]));
    this.#onOpened = onOpened;
    return open;
  }

  #add(socket: ServerSocket): void {
    const connection: Connection = { socket, acceptedAt: since(socket) };
    this.#followed?.set(socket, connection);
    this.#onOpened(connection);
  }

  list(): Connection[] {
    if (this.#followed !== undefined) {
      for (const socket of this.#followed.keys()) if (socket.destroyed) this.#followed.delete(socket);
      return [...this.#followed.values()];
    }
    const sockets: ServerSocket[] = [...this.#plainSockets(), ...this.#secure.list()];
    const sessions = new Map(this.#sessions.list().map((session) => [peerOf(session.socket), session]));
    // To know the peer of a connection takes a question to the system.
    if (sessions.size === 0) return sockets.map((socket) => ({ socket, acceptedAt: since(socket) }));
    return sockets.map((socket) => {
      const session = sessions.get(peerOf(socket));
      return { socket, acceptedAt: since(socket), ...(session && { session }) };
    });
  }

  /** Without those that only carry TLS. */
  #plainSockets(): ServerSocket[] {
    const { _getActiveHandles: handles } = process as { _getActiveHandles?: () => unknown[] };
    const active = (handles?.call(process) ?? []) as Partial<ServerSocket>[];
    return active.filter(
      (handle): handle is ServerSocket =>
        handle?.server !== undefined && this.#isOurs(handle.server) && !isTls(handle.server) && !handle.destroyed,
    );
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
}

/** A connection over TLS was accepted as the socket beneath it. */
function since(socket: ServerSocket): number {
  return acceptedAt((socket as LayeredSocket)._parent ?? socket);
}

/** What tells the connections of one process apart, also through the stand-in that a session has for its socket. */
function peerOf({
  remoteAddress,
  remotePort,
  localPort,
}: Pick<Socket, 'remoteAddress' | 'remotePort' | 'localPort'>): string {
  return `${remoteAddress} ${remotePort} ${localPort}`;
}

export function kindOf({ socket, session }: Connection): ConnectionKind {
  if (session !== undefined) return 'http2';
  if (webSocketOf(socket) !== undefined) return 'websocket';
  if (socket.parser) return 'http1';
  return socket.server !== undefined && isHttp(socket.server) ? 'upgraded' : 'other';
}

/** What a server accepts, before anything is said on it. */
export function serverKind(server: Server): 'http1' | 'http2' | 'other' {
  if (isHttp2(server)) return 'http2';
  return isHttp(server) ? 'http1' : 'other';
}

export function isHttp(server: Server): boolean {
  return typeof (server as { closeIdleConnections?: unknown }).closeIdleConnections === 'function';
}

export function isTls(server: Server): boolean {
  return typeof (server as { setSecureContext?: unknown }).setSecureContext === 'function';
}

export function isHttp2(server: Server): server is Server & Http2Server {
  return typeof (server as { updateSettings?: unknown }).updateSettings === 'function';
}

/** Without the query: secrets are found there. */
function pathOf({ _httpMessage: answer }: ServerSocket): string | null {
  const url = answer?.req?.url;
  return url === undefined ? null : (url.split('?', 1)[0] ?? '').slice(0, LONGEST_PATH);
}
