/**
 * A worker's way out: it accepts nothing new, answers what comes on its open connections with `Connection: close`, and
 * tells the supervisor when the last one has ended.
 *
 * Idle keep-alive connections are left open on purpose: a client may be sending its next request just now, and would
 * see a reset. `server.close()` would end them.
 */
import type { Server as HttpServer, ServerResponse } from 'node:http';
import { performance } from 'node:perf_hooks';
import type { Channel } from './channel.js';
import { makeLast } from './last-answer.js';
import type { Listeners } from './listen.js';

const POLL_MS = 20;
/** By then a signal that was sent right after a message has arrived. */
const SIGNAL_MS = 100;
/** How long a queue is emptied into which clients go on to connect. */
const EMPTYING_MS = 1_000;
/** A turn of the loop in which something else took this long says nothing of the queue. */
const SHORT_TURN_MS = 2;

export class Drain {
  readonly #channel: Channel;
  readonly #listeners: Listeners;
  #draining = false;
  #ended = false;
  /** What the application asked for in vain, to be done when it may. */
  readonly #spared = new Set<() => void>();

  constructor(channel: Channel, listeners: Listeners) {
    this.#channel = channel;
    this.#listeners = listeners;
  }

  /** @param emptyQueue whether nobody else will accept what waits */
  begin(emptyQueue: boolean): void {
    if (this.#draining) return;
    this.#draining = true;
    // The application's clean-up runs on SIGTERM, which is still to come: the process must not end for want of work.
    this.#channel.hold();
    // The message came in the middle of a turn; whole ones are counted, each with a look at the sockets.
    if (emptyQueue) setImmediate(() => this.#closeWhenEmpty(performance.now() + EMPTYING_MS, -1, 0));
    else this.#close();
  }

  /** Called for every request: from the drain on, its answer is the connection's last. */
  onRequest(response: ServerResponse): void {
    if (this.#draining) makeLast(response);
  }

  /**
   * Each turn of the loop accepts one connection of a queue, if there is one (libuv's way since 1.45): a short turn in
   * which none came was a look at an empty queue.
   */
  #closeWhenEmpty(until: number, acceptedBefore: number, turnBegan: number): void {
    const now = performance.now();
    const accepted = this.#listeners.accepted;
    const quiet = accepted === acceptedBefore && now - turnBegan < SHORT_TURN_MS;
    if (quiet || now >= until) this.#close();
    else setImmediate(() => this.#closeWhenEmpty(until, accepted, now));
  }

  #close(): void {
    this.#listeners.closeAll();
    for (const server of this.#listeners.servers) this.#spareIdle(server as HttpServer);
    // PM2's word for it: applications that know it begin their own clean-up.
    process.emit('message', 'shutdown', undefined);
    this.#poll();
  }

  /** SIGTERM is on its way: from now on the application ends in its own way. */
  end(): void {
    if (!this.#draining || this.#ended) return;
    this.#ended = true;
    for (const closeIdle of this.#spared) closeIdle();
    // The signal comes a moment after the word: a process that ended in between would skip the application's clean-up.
    setTimeout(() => this.#channel.letGo(), SIGNAL_MS);
  }

  /** An application that calls `server.close()` while it drains must not cut off its idle clients either. */
  #spareIdle(server: HttpServer): void {
    if (typeof server.closeIdleConnections !== 'function') return;
    const { closeIdleConnections } = server;
    const closeIdle = () => closeIdleConnections.call(server);
    server.closeIdleConnections = () => {
      if (this.#ended) closeIdle();
      else this.#spared.add(closeIdle);
    };
  }

  #poll(): void {
    if (this.#listeners.countConnections() === 0) {
      this.#channel.send({ type: 'drained' });
      return;
    }
    setTimeout(() => this.#poll(), POLL_MS).unref();
  }
}
