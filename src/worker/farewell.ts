/**
 * How the client of each kind of connection is asked to go elsewhere, and when: spread over a time, so that they do not
 * all come back at once.
 *
 * HTTP/1.1 clients that have something to say are told by the answer (last-answer.ts). Those that are silent are
 * cut off while nothing is under way, and not before they have been silent for a moment: a request that is just being
 * sent would be lost.
 */
import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { DrainReason } from '../protocol.js';
import { type Connection, isHttp, kindOf, type ServerSocket } from './connections.js';
import { leaveSession } from './session-farewell.js';
import { isEventSource, isStream, leaveStream } from './stream-farewell.js';
import { webSocketOf } from './websocket.js';
import { leaveWebSocket } from './websocket-farewell.js';

export interface Schedule {
  /** When the drain began, and when its window ends. */
  readonly beganAt: number;
  readonly endsAt: number;
  readonly spreadMs: number;
  readonly reason: DrainReason;
}

interface Plan {
  /** When its turn is. */
  at: number;
  /** What it had received and sent when that last changed, and when that was. */
  bytes: number;
  quietSince: number;
  /** Whether anything has moved since the drain began. */
  moved: boolean;
  told: boolean;
}

/** A client that was silent for so long, or for half the spread, is not just about to speak. */
const QUIET_MS = 1_000;
/** How long a client of HTTP/2 has to hear that no more streams are allowed. */
const NOTICE_MS = 1_000;
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

export class Farewell {
  readonly #schedule: Schedule;
  readonly #plans = new Map<Socket, Plan>();
  readonly #leaving = new WeakSet<ServerResponse>();
  /** The application closes its upgraded connections itself. */
  keepUpgraded = false;

  constructor(schedule: Schedule) {
    this.#schedule = schedule;
  }

  /** To be called every few milliseconds with all that is open. Never throws for what a client has done. */
  tick(connections: readonly Connection[], now: number): void {
    this.#plan(connections, now);
    const idle = idleSockets(connections);
    for (const connection of connections) {
      const plan = this.#plans.get(connection.socket);
      if (plan === undefined) continue;
      follow(plan, connection.socket, now);
      this.#visit(connection, plan, idle, now);
    }
  }

  /** Each gets a turn of its own, in an order that has nothing to do with its age. */
  #plan(connections: readonly Connection[], now: number): void {
    const present = new Set<Socket>(connections.map(({ socket }) => socket));
    for (const socket of this.#plans.keys()) if (!present.has(socket)) this.#plans.delete(socket);
    const fresh = connections.filter(({ socket }) => !this.#plans.has(socket));
    const from = Math.max(now, this.#schedule.beganAt);
    const span = Math.max(0, this.#schedule.beganAt + this.#schedule.spreadMs - from);
    shuffle(fresh);
    for (const [i, { socket }] of fresh.entries()) {
      const at = from + (span * (i + 0.5)) / fresh.length;
      this.#plans.set(socket, { at, bytes: moved(socket), quietSince: now, moved: false, told: false });
    }
  }

  #visit(connection: Connection, plan: Plan, idle: ReadonlySet<Socket>, now: number): void {
    const { socket } = connection;
    switch (kindOf(connection)) {
      case 'http1':
        if (socket._httpMessage) this.#leaveAnswer(socket._httpMessage, plan, now);
        if (now >= plan.at && this.#isSilent(socket, plan, idle, now)) socket.destroy();
        return;
      case 'http2':
        this.#leaveSession(connection, plan, now);
        return;
      case 'websocket':
        if (plan.told || this.keepUpgraded || now < plan.at) return;
        plan.told = true;
        this.#closeWebSocket(socket, now);
        return;
      case 'upgraded':
        // Nobody knows what is spoken there.
        return;
      case 'other':
        if (!plan.told && !plan.moved && now >= this.#lastCallAt) {
          plan.told = true;
          socket.end();
        }
        return;
    }
  }

  #isSilent(socket: ServerSocket, plan: Plan, idle: ReadonlySet<Socket>, now: number): boolean {
    const nothingSaid = socket.bytesRead === 0;
    if (!idle.has(socket) && !nothingSaid) return false;
    const answer = socket._httpMessage;
    if (answer && !answer.finished) return false;
    return now - plan.quietSince >= Math.min(QUIET_MS, this.#schedule.spreadMs / 2);
  }

  #leaveSession({ session, socket }: Connection, plan: Plan, now: number): void {
    if (session === undefined || session.destroyed || now < plan.at) return;
    if (!plan.told) {
      plan.told = true;
      leaveSession(session, Math.min(NOTICE_MS, Math.max(0, (this.#schedule.endsAt - now) / 2)));
    } else if (session.closed && now >= this.#lastCallAt && now - plan.quietSince >= QUIET_MS) socket.end();
  }

  #closeWebSocket(socket: Socket, now: number): void {
    const webSocket = webSocketOf(socket);
    if (webSocket === undefined) return;
    const restart = this.#schedule.reason === 'replaced';
    const [code, reason] = restart ? [SERVICE_RESTART, 'service restart'] : [GOING_AWAY, 'going away'];
    leaveWebSocket(socket, webSocket, { code, reason, latestAt: this.#quietUntil(now) });
  }

  #leaveAnswer(answer: ServerResponse, plan: Plan, now: number): void {
    if (this.#leaving.has(answer) || now < plan.at) return;
    const { beganAt, endsAt } = this.#schedule;
    const cutMs = Math.min(CUT_MS, (endsAt - beganAt) * CUT);
    if (isEventSource(answer)) leaveStream(answer, { latestAt: this.#quietUntil(now) });
    else if (now >= endsAt - 2 * cutMs && isStream(answer)) {
      leaveStream(answer, { from: endsAt - cutMs, latestAt: endsAt - REPORTED_MS, closeAt: endsAt - REPORTED_MS });
    } else return;
    this.#leaving.add(answer);
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

function follow(plan: Plan, socket: Socket, now: number): void {
  const bytes = moved(socket);
  if (bytes === plan.bytes) return;
  plan.bytes = bytes;
  plan.quietSince = now;
  plan.moved = true;
}

/** What is still to be sent counts as well: the peer may be slow to read. */
function moved(socket: Socket): number {
  return socket.bytesRead + socket.bytesWritten - socket.writableLength;
}

/** HTTP/1.1 connections between two requests, as Node itself tells them when it closes the idle ones. */
function idleSockets(connections: readonly Connection[]): Set<Socket> {
  const servers = new Set(connections.flatMap(({ socket }) => socket.server ?? []));
  const idle = new Set<Socket>();
  for (const server of servers) {
    if (!isHttp(server)) continue;
    for (const { socket } of connectionsList(server as unknown as Server)?.idle() ?? []) {
      if (socket !== null && socket !== undefined) idle.add(socket);
    }
  }
  return idle;
}

interface ConnectionsList {
  idle(): { readonly socket?: Socket | null }[];
}

function connectionsList(server: Server): ConnectionsList | undefined {
  const symbol = Object.getOwnPropertySymbols(server).find(
    ({ description }) => description === 'http.server.connections',
  );
  const list = symbol && (server as unknown as Record<symbol, Partial<ConnectionsList> | undefined>)[symbol];
  return typeof list?.idle === 'function' ? (list as ConnectionsList) : undefined;
}

function shuffle(list: unknown[]): void {
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [list[i], list[j]] = [list[j], list[i]];
  }
}
