/**
 * How a WebSocket is left: by a close frame at a quiet moment. After that frame nothing may be sent, so whatever the client
 * has said before it hears of it stays without an answer.
 *
 * The best moment is right after an answer, in one piece with it, while nothing else is waiting for one: the client has just
 * been told what it asked, and is not about to speak. What one exchange is, is learned from those that go by: a client that
 * has had one answer for each message gets the close frame with its next answer, however long that takes; an application that
 * sends several messages for one, or by itself, is left when it has been still for longer than it pauses in between. Whoever
 * says nothing is left after a silence. That does not become shorter with time: it would end just before the next message of
 * whoever speaks regularly.
 */
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { WebSocketLike } from '../connections/websocket.js';
import { watchTraffic } from './websocket-traffic.js';

export interface WebSocketClose {
  readonly code: number;
  readonly reason: string;
  /** When it is to be closed, by the clock of `performance.now()`; an exchange that is under way then may still end. */
  readonly latestAt: number;
  /** When it is closed in any case. */
  readonly endsAt: number;
}

const OPEN = 1;
/** Who says nothing is left after a silence of this part of all the time that there is. */
const SILENCE = 1 / 2;
/** The same where several messages have come, and nothing has been sent. */
const SILENCE_OUTSTANDING = 3 / 4;
const SEVERAL = 3;
/** A busy machine may take so many times as long to answer, and who waits for it is not left before. */
const OVERTIME = 2;
/** So many exchanges of one message and one answer, one after the other: the next one is like them. */
const ENOUGH_EXCHANGES = 3;
/** A client with which fewer go by in this part of the time is left after its next answer. */
const SLOW = 1 / 8;
/** An application that sends by itself has ended when it has been still for so many of its longest pauses. */
const PAUSES = 3;
/** In the last part of the time it is enough that an answer has just gone, and at its very end that anything has. */
const LAST_PART = 1 / 4;
const VERY_END = 1 / 16;

/** What has been seen of a conversation. Pure: times are arguments. */
export class Conversation {
  readonly #beganAt: number;
  readonly #latestAt: number;
  readonly #endsAt: number;
  readonly #spanMs: number;
  /** When a message last came or went. */
  #movedAt: number;
  /** Messages that have come and not been followed by one that went. */
  #outstanding = 0;
  #received = 0;
  #sent = 0;
  /** How many exchanges in a row had one answer for each message; a new one begins with the message after an answer. */
  #plain = 0;
  #isPlain = true;
  #lastWasSent = false;
  /** The longest pause before a message that nothing had asked for. */
  #longestPause = 0;

  constructor(beganAt: number, latestAt: number, endsAt = latestAt) {
    this.#beganAt = beganAt;
    this.#latestAt = latestAt;
    this.#endsAt = Math.max(latestAt, endsAt);
    this.#spanMs = Math.max(0, latestAt - beganAt);
    this.#movedAt = beganAt;
  }

  received(now: number): void {
    if (this.#lastWasSent && this.#received > 0) {
      this.#plain = this.#isPlain ? this.#plain + 1 : 0;
      this.#isPlain = true;
    }
    this.#lastWasSent = false;
    this.#received += 1;
    this.#outstanding += 1;
    this.#movedAt = now;
  }

  sent(now: number): void {
    if (this.#outstanding > 0) this.#outstanding -= 1;
    // What is sent before the first message may be the answer to one that nobody has seen.
    else if (this.#received > 0) {
      this.#isPlain = false;
      this.#plain = 0;
      if (this.#lastWasSent) this.#longestPause = Math.max(this.#longestPause, now - this.#movedAt);
    }
    this.#lastWasSent = true;
    this.#sent += 1;
    this.#movedAt = now;
  }

  /** Something else moved: a part of a message has come. */
  moved(now: number): void {
    this.#lastWasSent = false;
    this.#movedAt = now;
  }

  /** From when on this is a quiet moment, if nothing moves until then. */
  get quietAt(): number {
    return Math.min(this.#movedAt + this.#silenceMs(), this.#givenUpAt);
  }

  get #givenUpAt(): number {
    if (this.#speaksInTurn) return this.#endsAt;
    return this.#outstanding > 0 && !this.#isSilentServer
      ? Math.min(this.#endsAt, this.#latestAt + this.#spanMs * OVERTIME)
      : Math.max(this.#movedAt, this.#latestAt);
  }

  /** What it asks is answered, and only then does it ask again: another answer will come, and that is the moment. */
  get #speaksInTurn(): boolean {
    return this.#isPlain && this.#plain > 0;
  }

  /** What comes needs no answer, it seems. */
  get #isSilentServer(): boolean {
    return this.#sent === 0 && this.#received >= SEVERAL;
  }

  #silenceMs(): number {
    const leftMs = this.#latestAt - this.#movedAt;
    const isAnswered = this.#outstanding === 0 && this.#lastWasSent;
    if (this.#speaksInTurn) {
      if (isAnswered && this.#isKnown) return 0;
      return this.#outstanding > 0 ? Number.POSITIVE_INFINITY : this.#spanMs * SILENCE;
    }
    if (leftMs <= this.#spanMs * VERY_END) {
      if (this.#lastWasSent || this.#isSilentServer) return 0;
    }
    if (isAnswered && leftMs <= this.#spanMs * LAST_PART) return PAUSES * this.#longestPause;
    if (this.#outstanding > 0)
      return this.#isSilentServer ? this.#spanMs * SILENCE_OUTSTANDING : Number.POSITIVE_INFINITY;
    return Math.max(PAUSES * this.#longestPause, this.#spanMs * SILENCE);
  }

  /** Enough have gone by to tell that the answer that has just gone is the last of its exchange; where few go by, one is enough. */
  get #isKnown(): boolean {
    return this.#plain >= ENOUGH_EXCHANGES || this.#movedAt >= this.#beganAt + this.#spanMs * SLOW;
  }
}

/** To be called once, when it is its turn. Closes nothing that has been closed by then. */
export function leaveWebSocket(socket: Socket, webSocket: WebSocketLike, shutdown: WebSocketClose): void {
  if (!isOpen(socket, webSocket)) return;
  const conversation = new Conversation(performance.now(), shutdown.latestAt, shutdown.endsAt);
  let timer: NodeJS.Timeout | undefined;
  let looking = false;
  let bytes = moved(socket);

  const close = () => {
    clearTimeout(timer);
    stop();
    if (isOpen(socket, webSocket)) closeWith(socket, webSocket, shutdown);
  };
  /** Timers run before the sockets are read: what has come in the meantime is seen only in the turn after. */
  const look = (looked = () => {}) => {
    if (looking) {
      looked();
      return;
    }
    looking = true;
    setImmediate(() => {
      looking = false;
      const now = performance.now();
      const hasMoved = moved(socket) !== bytes;
      if (hasMoved) conversation.moved(now);
      if (!isOpen(socket, webSocket)) stop();
      else if (now >= shutdown.endsAt || (!hasMoved && now >= conversation.quietAt)) close();
      else expect();
      looked();
    });
  };
  const expect = () => {
    clearTimeout(timer);
    bytes = moved(socket);
    timer = setTimeout(() => look(), Math.max(0, conversation.quietAt - performance.now()));
    timer.unref();
  };
  const stop = watchTraffic(socket, webSocket, {
    received() {
      conversation.received(performance.now());
      expect();
    },
    sending() {
      // The answer, what follows it in this turn and the close frame go in one piece: the client cannot speak in between.
      socket.cork();
      const uncork = () => socket.uncork();
      return () => {
        conversation.sent(performance.now());
        if (performance.now() >= conversation.quietAt) {
          bytes = moved(socket);
          look(uncork);
        } else {
          uncork();
          expect();
        }
      };
    },
    passed() {
      bytes = moved(socket);
    },
  });
  if (conversation.quietAt <= performance.now()) look();
  else expect();
}

/**
 * The end of the stream goes right behind the close frame: a client that waited for ours in answer to its own would go on to
 * take messages from its application in the meantime, which lead nowhere. What it sends is read until it has closed, too.
 */
function closeWith(socket: Socket, webSocket: WebSocketLike, { code, reason }: WebSocketClose): void {
  const { bytesWritten } = socket;
  webSocket.close(code, reason);
  // Where a frame before it is still being compressed, the close frame waits for that.
  if (socket.bytesWritten > bytesWritten) socket.end();
}

function isOpen(socket: Socket, { readyState }: WebSocketLike & { readonly readyState?: unknown }): boolean {
  return !socket.destroyed && (typeof readyState !== 'number' || readyState === OPEN);
}

function moved(socket: Socket): number {
  return socket.bytesRead + socket.bytesWritten;
}
