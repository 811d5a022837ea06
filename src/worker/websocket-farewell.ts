/**
 * How a WebSocket is left: by a close frame at a quiet moment. After that frame nothing may be sent, so whatever the client
 * has said before it hears of it stays without an answer.
 *
 * The best moment is right after an answer, while nothing else is waiting for one: the client has just been told what it
 * asked, and is not about to speak. What one exchange is, is learned from those that go by: an application that sends
 * several messages for one, or by itself, is left when it has been still for longer than it pauses in between. Whoever
 * says nothing is left after a silence, and the nearer the end is, the shorter that may be.
 */
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { WebSocketLike } from './websocket.js';
import { watchTraffic } from './websocket-traffic.js';

export interface WebSocketFarewell {
  readonly code: number;
  readonly reason: string;
  /** When it is closed in any case, by the clock of `performance.now()`. */
  readonly latestAt: number;
}

const OPEN = 1;
/** A silence is long enough when it is this part of what is left of the time. */
const SILENCE = 1 / 4;
/** The same while something seems to wait for its answer. */
const SILENCE_OUTSTANDING = 1;
/** So many exchanges of one message and one answer, and nothing else: the next one is like them. */
const ENOUGH_EXCHANGES = 3;
/** An application that sends by itself has ended when it has been still for so many of its longest pauses. */
const PAUSES = 3;
/** In the last part of the time any moment after a message will do. */
const LAST_PART = 1 / 8;

/** What has been seen of a conversation. Pure: times are arguments. */
export class Conversation {
  readonly #beganAt: number;
  readonly #latestAt: number;
  /** When a message last came or went. */
  movedAt: number;
  /** Messages that have come and not been followed by one that went. */
  #outstanding = 0;
  #received = 0;
  #sent = 0;
  /** Exchanges that are over: messages, then answers, then the next message. */
  #exchanges = 0;
  #lastWasSent = false;
  /** The longest pause before a message that nothing had asked for, and whether there was one. */
  #longestPause = 0;
  #unasked = false;

  constructor(beganAt: number, latestAt: number) {
    this.#beganAt = beganAt;
    this.#latestAt = latestAt;
    this.movedAt = beganAt;
  }

  received(now: number): void {
    if (this.#lastWasSent && this.#received > 0) this.#exchanges += 1;
    this.#lastWasSent = false;
    this.#received += 1;
    this.#outstanding += 1;
    this.movedAt = now;
  }

  sent(now: number): void {
    if (this.#outstanding > 0) this.#outstanding -= 1;
    else {
      this.#unasked = true;
      if (this.#lastWasSent) this.#longestPause = Math.max(this.#longestPause, now - this.movedAt);
    }
    this.#lastWasSent = true;
    this.#sent += 1;
    this.movedAt = now;
  }

  /** Something else moved: a message of which only a part has come. */
  moved(now: number): void {
    this.movedAt = now;
  }

  /** Whether the message that is about to be sent is the last of its exchange, as far as can be told. */
  get isLastAnswer(): boolean {
    return this.#outstanding === 1 && !this.#unasked && this.#exchanges >= ENOUGH_EXCHANGES;
  }

  /** From when on this is a quiet moment, if nothing moves until then. */
  get quietAt(): number {
    return Math.min(this.#quietAt(), this.#latestAt);
  }

  #quietAt(): number {
    if (this.#isLastPart() && (this.#lastWasSent || (this.#received > 0 && this.#sent === 0))) return this.movedAt;
    if (this.#outstanding > 0) return this.#silentAt(SILENCE_OUTSTANDING);
    if (!this.#lastWasSent || this.#exchanges === 0) return this.#silentAt(SILENCE);
    if (!this.#unasked) return this.movedAt;
    return Math.max(this.movedAt + PAUSES * this.#longestPause, this.#silentAt(SILENCE / 2));
  }

  #isLastPart(): boolean {
    return this.movedAt >= this.#latestAt - (this.#latestAt - this.#beganAt) * LAST_PART;
  }

  /** When the silence is the given part of what is left then. */
  #silentAt(part: number): number {
    return (this.movedAt + part * this.#latestAt) / (1 + part);
  }
}

/** To be called once, when it is its turn. Closes nothing that has been closed by then. */
export function leaveWebSocket(socket: Socket, webSocket: WebSocketLike, farewell: WebSocketFarewell): void {
  if (!isOpen(socket, webSocket)) return;
  const conversation = new Conversation(performance.now(), farewell.latestAt);
  let timer: NodeJS.Timeout | undefined;
  let looking = false;
  let bytes = moved(socket);

  const close = () => {
    clearTimeout(timer);
    stop();
    if (isOpen(socket, webSocket)) webSocket.close(farewell.code, farewell.reason);
  };
  /** Timers run before the sockets are read: what has come in the meantime is seen only in the turn after. */
  const look = () => {
    if (looking) return;
    looking = true;
    setImmediate(() => {
      looking = false;
      const now = performance.now();
      if (!isOpen(socket, webSocket)) {
        stop();
        return;
      }
      if (moved(socket) !== bytes) conversation.moved(now);
      if (now >= conversation.quietAt) close();
      else expect();
    });
  };
  const expect = () => {
    clearTimeout(timer);
    bytes = moved(socket);
    timer = setTimeout(look, conversation.quietAt - performance.now());
    timer.unref();
  };
  const stop = watchTraffic(socket, webSocket, {
    received() {
      conversation.received(performance.now());
      expect();
    },
    sending() {
      // The answer and the close frame go in one piece: the client cannot speak in between.
      const isLast = conversation.isLastAnswer && !webSocket.bufferedAmount;
      if (isLast) socket.cork();
      return () => {
        conversation.sent(performance.now());
        if (isLast) {
          close();
          socket.uncork();
        } else if (performance.now() >= conversation.quietAt) {
          bytes = moved(socket);
          look();
        } else expect();
      };
    },
    passed() {
      bytes = moved(socket);
    },
  });
  if (farewell.latestAt <= performance.now()) look();
  else expect();
}

function isOpen(socket: Socket, { readyState }: WebSocketLike & { readonly readyState?: unknown }): boolean {
  return !socket.destroyed && (typeof readyState !== 'number' || readyState === OPEN);
}

function moved(socket: Socket): number {
  return socket.bytesRead + socket.bytesWritten;
}
