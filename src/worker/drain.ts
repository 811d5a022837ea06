/**
 * A worker's way out: it accepts nothing new, answers what comes on its open connections with `Connection: close`, and
 * tells the supervisor when the last one has ended.
 *
 * Idle keep-alive connections are left open on purpose: a client may be sending its next request just now, and would
 * see a reset. `server.close()` would end them.
 */
import type { Server as HttpServer, ServerResponse } from 'node:http';
import type { Channel } from './channel.js';
import type { Listeners } from './listen.js';

const POLL_MS = 20;

export class Drain {
  readonly #channel: Channel;
  readonly #listeners: Listeners;
  #draining = false;
  #done = false;

  constructor(channel: Channel, listeners: Listeners) {
    this.#channel = channel;
    this.#listeners = listeners;
  }

  begin(timeoutMs: number): void {
    if (this.#draining) return;
    this.#draining = true;
    // The application's clean-up runs on SIGTERM, which is still to come: the process must not end for want of work.
    this.#channel.hold();
    const keepIdle = setTimeout(() => {
      this.#done = true;
    }, timeoutMs);
    keepIdle.unref();
    // One whole turn of the loop accepts all that waits in the queue: what is closed after it, is closed empty.
    setImmediate(() => setImmediate(() => this.#close()));
  }

  /** Called for every request: from the drain on, its answer is the connection's last. */
  onRequest(response: ServerResponse): void {
    if (this.#draining) response.shouldKeepAlive = false;
  }

  #close(): void {
    this.#listeners.closeAll();
    for (const server of this.#listeners.servers) this.#spareIdle(server as HttpServer);
    // PM2's word for it: applications that know it begin their own clean-up.
    process.emit('message', 'shutdown', undefined);
    this.#poll();
  }

  /** An application that calls `server.close()` while it drains must not cut off its idle clients either. */
  #spareIdle(server: HttpServer): void {
    if (typeof server.closeIdleConnections !== 'function') return;
    const { closeIdleConnections } = server;
    server.closeIdleConnections = () => {
      if (this.#done) closeIdleConnections.call(server);
    };
  }

  #poll(): void {
    if (this.#listeners.countConnections() === 0) {
      this.#done = true;
      this.#channel.send({ type: 'drained' });
      return;
    }
    setTimeout(() => this.#poll(), POLL_MS).unref();
  }
}
