/** WebSocket, socket.io, plain TCP and UDP. */
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import { Client, PortClient } from './client.js';

const host = '127.0.0.1';

/** Is answered until it is told to go, and why; comes back then. */
export class WebSockets extends PortClient {
  /** When each was closed by the server, in milliseconds, and with which code. */
  readonly closed: { at: number; code: number }[] = [];
  readonly #open = new Set<WebSocket>();

  override async stop(): Promise<void> {
    this.running = false;
    for (const socket of this.#open) socket.close();
    await super.stop();
  }

  protected async converse(): Promise<void> {
    const socket = new WebSocket(`ws://${host}:${this.port}/ws`);
    await once(socket, 'open');
    this.#open.add(socket);
    const told = once(socket, 'close').then(([code]) => {
      this.#open.delete(socket);
      if (this.running) this.closed.push({ at: performance.now(), code: code as number });
    });
    // It was stopped while it connected: nobody else closes it.
    if (!this.running) socket.close();
    while (socket.readyState === WebSocket.OPEN) {
      const answer = once(socket, 'message').then(([word]) => String(word));
      answer.catch(() => {});
      socket.send('hello');
      const word = await Promise.race([answer, told]);
      if (word !== undefined && word !== 'hello') throw new Error('wrong answer');
      await Promise.race([pause(50), told]);
    }
    await told;
  }
}

/** Its own recovery: it connects again by itself, and sends again what was not acknowledged. */
export class SocketIoCounter extends Client {
  readonly #socket: ReturnType<typeof io>;
  #next = 0;
  connects = 0;

  constructor(name: string, port: number) {
    super(name);
    const url = `http://${host}:${port}`;
    this.#socket = io(url, { transports: ['websocket'], reconnectionDelay: 20, retries: 5, ackTimeout: 1_000 });
    this.#socket.on('connect', () => {
      this.connects += 1;
    });
  }

  override async stop(): Promise<void> {
    await super.stop();
    this.#socket.disconnect();
  }

  protected async converse(): Promise<void> {
    const sent = this.#next++;
    const answer = (await this.#socket.emitWithAck('count', sent)) as number;
    if (answer !== sent) throw new Error(`${answer} for ${sent}`);
    await pause(30);
  }
}

/** Lines that come back, over half a second; then its own end, after which the last answers still come. */
export class Conversation extends PortClient {
  protected async converse(): Promise<void> {
    const socket = net.connect({ port: this.port, host, allowHalfOpen: true });
    const heard = text(socket);
    for (let i = 0; i < 10; i++) {
      socket.write(`line ${i}\n`);
      await pause(50);
    }
    socket.end('last\n');
    if ((await heard).split('\n').length !== 13) throw new Error('conversation cut off');
  }
}

const BIG = 4 * 1024 * 1024;
/** So long they take on an idle machine and on a busy one: a drain waits for them, and has an end. */
const BIG_TAKES_MS = 2_000;

/** Four megabytes that are read slowly: most of them still have to be sent when the worker drains. */
export class SlowReader extends PortClient {
  protected async converse(): Promise<void> {
    const socket = net.connect({ port: this.port, host });
    socket.write('BIG\n');
    const begun = performance.now();
    let received = 0;
    for await (const chunk of socket) {
      received += (chunk as Buffer).length;
      const early = begun + (received / BIG) * BIG_TAKES_MS - performance.now();
      if (early > 0) await pause(early);
    }
    if (received !== BIG) throw new Error('cut off');
  }
}

/** Says nothing at all, until it hears the end; a reset is an error. */
export class IdleConversation extends PortClient {
  protected async converse(): Promise<void> {
    const socket = net.connect({ port: this.port, host });
    this.endless.add(socket);
    socket.resume();
    await once(socket, 'close');
    this.endless.delete(socket);
  }
}

/** A datagram that is only late, on a busy machine, has been answered by then. */
const LOST_MS = 10_000;

/** One datagram at a time; one without an answer is lost. */
export class Datagrams extends PortClient {
  protected async converse(): Promise<void> {
    const socket = dgram.createSocket('udp4');
    try {
      socket.send('hello', this.port, host);
      await once(socket, 'message', { signal: AbortSignal.timeout(LOST_MS) });
    } finally {
      socket.close();
    }
    await pause(20);
  }
}
