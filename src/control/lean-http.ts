/**
 * A server of HTTP in a process that is to be small and quick to start: node:http is loaded when it is told so, at the latest with
 * its first client, and without its lazy exports. An `import` of it evaluates them all, and with them 14 MB of a WebSocket client.
 */
import type http from 'node:http';
import { createRequire } from 'node:module';
import { type ListenOptions, Server, type Socket } from 'node:net';

const require = createRequire(import.meta.url);

/** How long a close waits for clients to read what was written for them. */
const CLOSE_PATIENCE_MS = 1_000;

/** It listens and accepts by itself, and has HTTP spoken by a server of node:http. */
export class LeanServer extends Server {
  readonly #make: (createServer: typeof http.createServer) => http.Server;
  readonly #open = new Set<Socket>();
  #http: http.Server | null = null;

  constructor(make: (createServer: typeof http.createServer) => http.Server) {
    // As that of node:http, which decides itself what becomes of a client that ends its side.
    super({ allowHalfOpen: true }, (socket) => this.#welcome(socket));
    this.#make = make;
  }

  closeAllConnections(): void {
    for (const socket of this.#open) socket.destroy();
  }

  override close(callback?: (error?: Error) => void): this {
    // It looks no longer who is too slow.
    this.#http?.close();
    return super.close(callback);
  }

  #welcome(socket: Socket): void {
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
    this.load().emit('connection', socket);
  }

  /** Else its first client waits for that. */
  load(): http.Server {
    this.#http ??= this.#loaded();
    return this.#http;
  }

  #loaded(): http.Server {
    const { createServer } = require('node:http') as typeof http;
    const server = this.#make(createServer);
    // From then on it looks after slow clients.
    server.emit('listening');
    return server;
  }
}

/** Rejects with the system's error. Whatever goes wrong with the server afterwards is its clients' loss. */
export function listen(server: Server, where: ListenOptions & { readonly fd?: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // Not through node:cluster, and so never shared with a worker.
    server.listen({ ...where, exclusive: true }, () => {
      server.removeListener('error', reject);
      // A connection that could not be accepted: no file descriptor was left.
      server.on('error', () => {});
      resolve();
    });
  });
}

/** Listens no longer, and ends what is still open. @param endStreams ends the answers that would go on for ever */
export async function close(server: LeanServer, endStreams: () => void = () => {}): Promise<void> {
  const gone = new Promise((resolve) => server.close(resolve));
  // Answers that were given just now reach their streams first.
  await new Promise((resolve) => setImmediate(resolve));
  endStreams();
  const force = setTimeout(() => server.closeAllConnections(), CLOSE_PATIENCE_MS);
  await gone;
  clearTimeout(force);
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
