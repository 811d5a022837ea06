/**
 * A worker's way out: it accepts nothing new, asks its clients to go elsewhere, each in the way of its protocol, and tells
 * the supervisor when the last one has.
 */
import diagnosticsChannel from 'node:diagnostics_channel';
import type { Server as HttpServer, ServerResponse } from 'node:http';
import type { Server } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { SupervisorMessage } from '../../protocol/worker.js';
import type { Application } from '../application/api.js';
import type { Resignation } from '../application/resign.js';
import type { Channel } from '../channel/channel.js';
import { type Connections, isHttp, kindOf } from '../connections/connections.js';
import type { Datagrams } from '../datagrams/datagrams.js';
import type { Handover } from '../handover/handover.js';
import type { Listeners } from '../listen/listen.js';
import { answerLater, LastAnswers } from './last-answer.js';
import { Shutdown } from './shutdown.js';

export type DrainOrder = Extract<SupervisorMessage, { type: 'drain' }>;

export interface DrainOptions {
  readonly channel: Channel;
  readonly listeners: Listeners;
  readonly connections: Connections;
  readonly application: Application;
  readonly handover: Handover;
  readonly datagrams: Datagrams;
  readonly resignation: Resignation;
}

/** Kept from the start: applications replace it, and a drain must come about. */
const { subscribe } = diagnosticsChannel;

const POLL_MS = 20;
/** By then a signal that follows a message has arrived, however busy the machine is, or nobody is there to send it. */
const SIGNAL_MS = 5_000;
/** How long a queue is emptied into which clients go on to connect. */
const EMPTYING_MS = 1_000;
/** A turn of the loop in which something else took this long says nothing of the queue. */
const SHORT_TURN_MS = 2;
/** So long before its end what is still open is reported: afterwards there may be nobody left to do it. */
const REPORT_MS = 50;
/** What an application has for its clean-up that has heard of its end by a message alone, and does not show that it has begun. */
const MOMENT_MS = 1_000;

export class Drain {
  readonly #options: DrainOptions;
  readonly #answers: LastAnswers;
  #draining = false;
  #ended = false;
  /** What is still open, or that nothing is. */
  #reported = false;
  /** What the application asked for in vain, to be done when it may. */
  readonly #spared = new Set<() => void>();
  /** Servers that look as if they listened; the application may close them. */
  #stilled: Server[] = [];
  #shutdown: Shutdown | undefined;
  #hasSaidShutdown = false;
  /** Those of node:cluster. */
  readonly #ownListeners = process.listenerCount('message');
  /** What it had to do before it heard of its end. */
  #pendingWork = 0;

  constructor(options: DrainOptions) {
    this.#options = options;
    this.#answers = new LastAnswers((socket) => options.handover.mayGive(socket));
  }

  /** Told where no supervisor hears of it. */
  onDrained: () => void = () => {};
  isDrained = false;

  get isDraining(): boolean {
    return this.#draining;
  }

  /** From now on the answer to each new request is its connection's last. */
  begin(order: DrainOrder): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#expectAnswers();
    // The application's clean-up runs on SIGTERM, which is still to come: the process must not end for want of work.
    this.#options.channel.hold();
    const beganAt = performance.now();
    // The message came in the middle of a turn; whole ones are counted, each with a look at the sockets.
    if (order.emptyQueue) setImmediate(() => this.#closeWhenEmpty(order, beganAt, -1, 0));
    else this.#close(order, beganAt);
  }

  /** Not before the drain: whoever hears of each request costs each of them. */
  #expectAnswers(): void {
    subscribe('http.server.request.start', (message) =>
      this.#answers.expect((message as { response: ServerResponse }).response),
    );
  }

  /**
   * Each turn of the loop accepts one connection of a queue, if there is one (libuv's way since 1.45): a short turn in
   * which none came was a look at an empty queue.
   */
  #closeWhenEmpty(order: DrainOrder, beganAt: number, acceptedBefore: number, turnBegan: number): void {
    const now = performance.now();
    const { accepted } = this.#options.connections;
    const quiet = accepted === acceptedBefore && now - turnBegan < SHORT_TURN_MS;
    if (quiet || now >= beganAt + EMPTYING_MS) this.#close(order, beganAt);
    else setImmediate(() => this.#closeWhenEmpty(order, beganAt, accepted, now));
  }

  #close({ windowMs, spreadMs, reason, recipients, sayShutdown }: DrainOrder, beganAt: number): void {
    const { listeners, connections, application, handover, datagrams } = this.#options;
    datagrams.drain();
    this.#stilled = [...listeners.servers].filter((server) => server.listening);
    listeners.closeAll();
    for (const server of listeners.servers) {
      this.#spareIdle(server as HttpServer);
      if (isHttp(server)) answerLater(server as HttpServer);
    }
    const endsAt = beganAt + windowMs;
    const shutdown = new Shutdown({ beganAt, endsAt, spreadMs: Math.min(spreadMs, windowMs), reason }, handover);
    this.#shutdown = shutdown;
    const open = connections.follow((connection) => shutdown.add(connection));
    for (const connection of open) {
      const answer = connection.socket._httpMessage;
      if (kindOf(connection) === 'http1' && answer && !answer.headersSent) this.#answers.expect(answer);
    }
    if (recipients) handover.begin(open);
    shutdown.begin(open);
    const takesPart = application.drain({
      reason,
      windowMs,
      keepUpgraded: () => {
        shutdown.keepUpgraded = true;
      },
    });
    if (takesPart || sayShutdown === 'early') this.#sayShutdown();
    // Where there is less time than that: at once. Newer Nodes warn of a time that is negative.
    setTimeout(() => this.#report(), Math.max(0, endsAt - REPORT_MS - performance.now())).unref();
    this.#poll();
  }

  /** SIGTERM is on its way: from now on the application ends in its own way. */
  end(): void {
    if (!this.#draining || this.#ended) return;
    // On a busy machine its own time for it is still to come.
    this.#report(true);
    this.#ended = true;
    this.#shutdown?.end();
    for (const closeIdle of this.#spared) closeIdle();
    // The signal comes after the word, on a busy machine a good while: a process that ended in between would skip the clean-up.
    let isHeld = true;
    const letGo = () => {
      if (isHeld) this.#options.channel.letGo();
      isHeld = false;
    };
    const hear = () => process.listenerCount('SIGTERM') > 0 && process.prependOnceListener('SIGTERM', letGo);
    // Else after `#expectSignal`, which may come only now.
    if (!hear()) setImmediate(hear);
    setTimeout(letGo, SIGNAL_MS).unref();
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

  /** A look at one number a server. */
  #poll(): void {
    const { channel, listeners, application, handover, datagrams } = this.#options;
    if (listeners.countConnections() === 0 && application.isDone && datagrams.isDone()) {
      handover.report();
      this.#reported = true;
      // Before the word: its listeners may throw, or end the process.
      setImmediate(() => {
        this.#expectSignal();
        this.isDrained = true;
        channel.send({ type: 'drained' });
        this.onDrained();
      });
      this.#sayShutdown();
      return;
    }
    setTimeout(() => this.#poll(), POLL_MS).unref();
  }

  /**
   * PM2's word for the end: most that know it end the process, at once or after a time, so it is the last that they hear. Those
   * who take part in the drain hear it at its beginning.
   */
  #sayShutdown(): void {
    if (this.#hasSaidShutdown) return;
    this.#hasSaidShutdown = true;
    this.#pendingWork = pendingWork();
    process.emit('message', 'shutdown', undefined);
  }

  /**
   * For applications that know PM2's ways and not SIGTERM, which would end them in the middle of their clean-up: one that has
   * begun to end when it heard `shutdown` ends by itself, one that listens to SIGINT gets that, and one that listens to messages
   * has a moment.
   */
  #expectSignal(): void {
    if (process.listenerCount('SIGTERM') > 0) return;
    const listens = process.listenerCount('message') > this.#ownListeners;
    const hasBegun = listens && pendingWork() > this.#pendingWork;
    if (hasBegun || this.#stilled.some((server) => !server.listening)) process.on('SIGTERM', () => {});
    else if (this.#options.resignation.isGiven) {
      process.once('SIGTERM', () => this.#options.resignation.leave(this.#stilled));
    } else if (process.listenerCount('SIGINT') > 0) process.once('SIGTERM', () => process.emit('SIGINT', 'SIGINT'));
    // By then there is no listener of it any more.
    else if (listens) process.once('SIGTERM', () => setTimeout(() => process.kill(process.pid, 'SIGTERM'), MOMENT_MS));
  }

  /** @param isLast the supervisor waits to hear it, be it that there is nothing */
  #report(isLast = false): void {
    if (this.#ended || this.#reported) return;
    const { channel, connections, handover } = this.#options;
    handover.report();
    const named = connections.describe();
    if (named.length > 0 || isLast) {
      this.#reported = true;
      channel.send({ type: 'leftover', counts: connections.counts(), named });
    }
    setImmediate(() => this.#expectSignal());
    this.#sayShutdown();
  }
}

/** Timers and requests to the system; connections come and go by themselves. */
function pendingWork(): number {
  return process.getActiveResourcesInfo().filter((kind) => !/Socket|Server|Pipe|Immediate/.test(kind)).length;
}
