/**
 * The drain of each open connection: how its client is asked to go elsewhere, and when; for a silent client of HTTP/1.1, when
 * it has been silent for so long that the connection is closed. Spread over a time, so that they do not all come back at once.
 * What is handed over to another worker (handover/) is left alone here.
 *
 * HTTP/1.1 clients that have something to say are told by the answer (last-answer.ts). Those that are silent are cut off when
 * they have been so for longer than they were promised, and not earlier: they may be about to send.
 *
 * Each connection has a timer of its own for when it is due; nothing looks at all of them.
 */
import type { ServerResponse } from 'node:http';
import { performance } from 'node:perf_hooks';
import type { DrainReason } from '../../public.js';
import { type Connection, kindOf } from '../connections/connections.js';
import { hasSaidNothing, promisedElsewhere } from '../connections/first-word.js';
import { webSocketOf } from '../connections/websocket.js';
import type { ServerSocket } from '../node/socket.js';
import { leaveSession } from './session-goaway.js';
import { isSilent, moved } from './silence.js';
import { isEventSource, isStream, leaveStream } from './stream-end.js';
import { leaveWebSocket } from './websocket-close.js';

export interface Schedule {
  /** When the drain began, and when its window ends. */
  readonly beganAt: number;
  readonly endsAt: number;
  readonly spreadMs: number;
  readonly reason: DrainReason;
}

/** What the hand-over says of a connection. */
export interface GoesOn {
  /** It goes to another worker, now or after its answer. */
  mayGive(socket: ServerSocket): boolean;
  /** It is on its way to one: nothing is to be done to it. */
  isUnderWay(socket: ServerSocket): boolean;
  /** Nothing is asked or answered on it any more, and perhaps nobody has said so. */
  offerAgain(socket: ServerSocket): void;
}

/** A monotonic clock in milliseconds, and what is to be done by it. */
export interface Clock {
  now(): number;
  /** Must not keep the process alive. */
  at(time: number, run: () => void): void;
  /** Once what is in the sockets has been read. */
  afterPoll(run: () => void): void;
}

const CLOCK: Clock = {
  now: () => performance.now(),
  at: (time, run) => void setTimeout(run, Math.max(0, time - performance.now())).unref(),
  afterPoll: (run) => void setImmediate(run),
};

interface Plan {
  readonly connection: Connection;
  /** When its turn is. */
  readonly turnAt: number;
  /** What it had received and sent when the drain began. */
  readonly bytesAtFirst: number;
  /** The same when it was looked at last, and since when that has not changed. */
  bytes: number;
  quietSince: number;
  told: boolean;
}

/** Beyond what the server has promised: the client's clock may be behind by a round trip and a busy moment. */
const MARGIN_MS = 1_000;
/** How soon a connection is looked at again that cannot be left yet. */
const AGAIN_MS = 1_000;
/** How soon one is looked at again that is on its way to another worker. */
const UNDER_WAY_MS = 50;
/** How long a client of HTTP/2 has to hear that it is to go. */
const NOTICE_MS = 2_000;
/** RFC 6455, section 7.4.1, and the registry of close codes that it opened. */
const GOING_AWAY = 1001;
const SERVICE_RESTART = 1012;
/** The last part of the window, in which conversations end that had been silent all the time. */
const LAST_CALL = 0.1;
const LAST_CALL_MS = 1_000;
/** Who has had its turn at the end of the spread still has so long to come to a quiet moment. */
const GRACE_MS = 3_000;
/** Streams that end with the window are cut off within this time before it, or this part, once what is open has been reported. */
const CUT_MS = 500;
const CUT = 0.25;
const REPORTED_MS = 40;

export class Shutdown {
  readonly #schedule: Schedule;
  readonly #goesOn: GoesOn;
  readonly #clock: Clock;
  readonly #leaving = new WeakSet<ServerResponse>();
  #ended = false;
  /** The application closes its upgraded connections itself. */
  keepUpgraded = false;

  constructor(schedule: Schedule, goesOn: GoesOn, clock: Clock = CLOCK) {
    this.#schedule = schedule;
    this.#goesOn = goesOn;
    this.#clock = clock;
  }

  /** Each gets a turn of its own, in an order that has nothing to do with its age. */
  begin(connections: readonly Connection[]): void {
    const now = this.#clock.now();
    const { beganAt, spreadMs } = this.#schedule;
    const from = Math.max(now, beganAt);
    const span = Math.max(0, beganAt + spreadMs - from);
    for (const [i, connection] of shuffled(connections).entries()) {
      this.#plan(connection, from + (span * (i + 0.5)) / connections.length, now);
    }
  }

  /** One more that has come since. */
  add(connection: Connection): void {
    const now = this.#clock.now();
    const { beganAt, spreadMs } = this.#schedule;
    this.#plan(connection, now + Math.random() * Math.max(0, beganAt + spreadMs - now), now);
  }

  /** From now on the application ends in its own way. */
  end(): void {
    this.#ended = true;
  }

  #plan(connection: Connection, turnAt: number, now: number): void {
    const bytes = moved(connection.socket);
    const plan = { connection, turnAt, bytesAtFirst: bytes, bytes, quietSince: now, told: false };
    // Those that are silent are ours to watch from the first moment: Node's own timer does not look whether data has come.
    this.#wait(plan, kindOf(connection) === 'http1' ? this.#visitHttp1(plan, now) : turnAt);
  }

  #wait(plan: Plan, until: number): void {
    if (until >= this.#schedule.endsAt) return;
    this.#clock.at(until, () => this.#visit(plan));
  }

  #visit(plan: Plan): void {
    if (this.#ended || plan.connection.socket.destroyed) return;
    const now = this.#clock.now();
    const { connection } = plan;
    switch (kindOf(connection)) {
      case 'http1':
        this.#wait(plan, this.#visitHttp1(plan, now));
        return;
      case 'http2':
        this.#wait(plan, this.#leaveSession(plan, now));
        return;
      case 'websocket':
        if (plan.told || this.keepUpgraded) return;
        // It may have been something else up to now.
        if (now < plan.turnAt) {
          this.#wait(plan, plan.turnAt);
          return;
        }
        plan.told = true;
        this.#closeWebSocket(connection.socket, now);
        return;
      case 'upgraded':
        // Nobody knows what is spoken there.
        return;
      case 'other':
        if (now < this.#lastCallAt) this.#wait(plan, this.#lastCallAt);
        else if (this.#goesOn.isUnderWay(connection.socket)) this.#wait(plan, now + UNDER_WAY_MS);
        else if (moved(connection.socket) === plan.bytesAtFirst) connection.socket.end();
        return;
    }
  }

  /** Closes the connection if its client has been silent for longer than it was promised. @returns when to look again */
  #visitHttp1(plan: Plan, now: number): number {
    const { socket } = plan.connection;
    follow(plan, now);
    const { _httpMessage: answer } = socket;
    if (answer && !answer.writableEnded) return this.#leaveAnswer(answer, socket, plan, now);
    const silent = isSilent(socket);
    const mayGive = this.#goesOn.mayGive(socket);
    if (silent && mayGive) this.#goesOn.offerAgain(socket);
    if (mayGive || !silent) return this.#again(now);
    if (socket.timeout) socket.setTimeout(0);
    const dueAt = plan.quietSince + this.#promisedMs(socket);
    if (now < dueAt) return dueAt;
    // Timers run before data is read: after a turn that took long it is in the socket, but not here yet.
    this.#clock.afterPoll(() => {
      if (this.#ended || socket.destroyed || this.#goesOn.mayGive(socket)) return;
      if (moved(socket) === plan.bytes && isSilent(socket)) socket.destroy();
    });
    return now + AGAIN_MS;
  }

  /** How long the client may be silent and still rely on the connection. */
  #promisedMs(socket: ServerSocket): number {
    const {
      keepAliveTimeout = 0,
      keepAliveTimeoutBuffer = 0,
      headersTimeout = 0,
    } = (socket.server ?? {}) as HttpTimeouts;
    const nothingSaid = hasSaidNothing(socket);
    // Where a successor serves, one that has never said anything costs nothing but its place: Node itself would wait as long.
    if (nothingSaid && this.#schedule.reason === 'replaced' && headersTimeout > 0) return headersTimeout + MARGIN_MS;
    if (keepAliveTimeout === 0) return nothingSaid ? MARGIN_MS : Number.POSITIVE_INFINITY;
    return Math.max(keepAliveTimeout + keepAliveTimeoutBuffer, promisedElsewhere(socket)) + MARGIN_MS;
  }

  /** @returns when to look again */
  #leaveSession(plan: Plan, now: number): number {
    const { session, socket } = plan.connection;
    if (session === undefined || session.destroyed) return Number.POSITIVE_INFINITY;
    if (!plan.told) {
      plan.told = true;
      leaveSession(session, Math.min(NOTICE_MS, Math.max(0, (this.#schedule.endsAt - now) / 2)));
      return this.#lastCallAt;
    }
    follow(plan, now);
    if (session.closed && now - plan.quietSince >= LAST_CALL_MS / 2) socket.end();
    return now + LAST_CALL_MS / 2;
  }

  #closeWebSocket(socket: ServerSocket, now: number): void {
    const webSocket = webSocketOf(socket);
    if (webSocket === undefined) return;
    const restart = this.#schedule.reason === 'replaced';
    const [code, reason] = restart ? [SERVICE_RESTART, 'service restart'] : [GOING_AWAY, 'going away'];
    leaveWebSocket(socket, webSocket, { code, reason, latestAt: this.#quietUntil(now), endsAt: this.#lastCallAt });
  }

  /** @returns when to look again at an answer that is under way */
  #leaveAnswer(answer: ServerResponse, socket: ServerSocket, { turnAt }: Plan, now: number): number {
    if (this.#leaving.has(answer)) return this.#again(now);
    const { endsAt } = this.#schedule;
    if (isEventSource(answer)) {
      if (now < turnAt) return turnAt;
      this.#leaving.add(answer);
      leaveStream(answer, { latestAt: this.#quietUntil(now), keepOpen: this.#goesOn.mayGive(socket) });
    } else if (now >= endsAt - 2 * this.#cutMs && isStream(answer)) {
      this.#leaving.add(answer);
      leaveStream(answer, {
        from: endsAt - this.#cutMs,
        latestAt: endsAt - REPORTED_MS,
        closeAt: endsAt - REPORTED_MS,
      });
    }
    return this.#again(now);
  }

  /** When what cannot be left yet is looked at again: in time for the streams that end with the window. */
  #again(now: number): number {
    const cutAt = this.#schedule.endsAt - 2 * this.#cutMs;
    return now < cutAt ? Math.min(now + AGAIN_MS, cutAt) : now + AGAIN_MS;
  }

  get #cutMs(): number {
    const { beganAt, endsAt } = this.#schedule;
    return Math.min(CUT_MS, (endsAt - beganAt) * CUT);
  }

  /** Until when a quiet moment is waited for. */
  #quietUntil(now: number): number {
    const { beganAt, spreadMs } = this.#schedule;
    return Math.min(this.#lastCallAt, Math.max(beganAt + spreadMs, now + GRACE_MS));
  }

  get #lastCallAt(): number {
    const { beganAt, endsAt } = this.#schedule;
    return endsAt - Math.min(LAST_CALL_MS, (endsAt - beganAt) * LAST_CALL);
  }
}

interface HttpTimeouts {
  readonly keepAliveTimeout?: number;
  readonly keepAliveTimeoutBuffer?: number;
  readonly headersTimeout?: number;
}

function follow(plan: Plan, now: number): void {
  const bytes = moved(plan.connection.socket);
  if (bytes === plan.bytes) return;
  plan.bytes = bytes;
  plan.quietSince = now;
}

function shuffled<T>(list: readonly T[]): T[] {
  const copy = [...list];
  for (let i = copy.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [copy[i], copy[j]] = [copy[j]!, copy[i]!];
  }
  return copy;
}
