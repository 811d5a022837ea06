/**
 * Keep-alive clients as most of them are: each has one connection, POSTs, pauses for seconds, and never sends anything again.
 * Counts every kind of error, and how often they had to connect.
 */
import net from 'node:net';
import tls from 'node:tls';

export interface PausingOptions {
  readonly port: number;
  readonly count: number;
  readonly pauseMs: readonly [number, number];
  readonly secure?: boolean;
}

const ANSWER_MS = 15_000;
/** With all handshakes in one turn of the loop the first ones would be asked again later than the server has promised to wait. */
const AT_ONCE = 20;

export class PausingClients {
  readonly errors: Record<string, number> = {};
  connects = 0;
  answers = 0;
  /** Connections that the server ended while nothing was asked: no error, but no secret either. */
  endedIdle = 0;
  /** Answers that said that they were the last. */
  last = 0;
  readonly #options: PausingOptions;
  readonly #open = new Set<net.Socket>();
  readonly #pauses = new Set<NodeJS.Timeout>();
  #stopped = false;
  #begun = 0;
  #connected = 0;
  #allConnected: () => void = () => {};

  constructor(options: PausingOptions) {
    this.#options = options;
  }

  /** Resolves once all of them have had their first answer. */
  start(): Promise<void> {
    const all = new Promise<void>((resolve) => {
      this.#allConnected = resolve;
    });
    for (let i = 0; i < AT_ONCE; i++) this.#beginNext();
    return all;
  }

  #beginNext(): void {
    if (this.#begun < this.#options.count) this.#connect(this.#begun++);
  }

  /** No more is asked; resolves when nothing is open. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const pause of this.#pauses) clearTimeout(pause);
    for (const socket of this.#open) socket.destroy();
    await Promise.all([...this.#open].map((socket) => new Promise((resolve) => socket.once('close', resolve))));
  }

  #fail(kind: string): void {
    if (!this.#stopped) this.errors[kind] = (this.errors[kind] ?? 0) + 1;
  }

  #connect(i: number): void {
    if (this.#stopped) return;
    this.connects += 1;
    const { port, secure = false, pauseMs } = this.#options;
    const host = '127.0.0.1';
    const socket: net.Socket = secure
      ? tls.connect({ port, host, rejectUnauthorized: false })
      : net.connect({ port, host });
    this.#open.add(socket);
    socket.setNoDelay(true);
    let data = '';
    let asked = 0;
    let waiting: NodeJS.Timeout | undefined;
    let isLast = false;
    const ask = () => {
      // It was ended meanwhile: the next one is on its way already.
      if (socket.destroyed) return;
      asked += 1;
      const body = `${i}-${asked}`;
      waiting = setTimeout(() => {
        this.#fail('no answer');
        socket.destroy();
      }, ANSWER_MS);
      socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    };
    socket.once(secure ? 'secureConnect' : 'connect', ask);
    socket.on('data', (chunk) => {
      data += chunk.toString('latin1');
      const end = data.indexOf('\r\n\r\n') + 4;
      const length = Number(/content-length: (\d+)/i.exec(data)?.[1]);
      if (end < 4 || data.length < end + length) return;
      clearTimeout(waiting);
      waiting = undefined;
      if (!data.startsWith('HTTP/1.1 200 ') || data.slice(end) !== `${i}-${asked}`) this.#fail('wrong answer');
      this.answers += 1;
      isLast = /^connection: close/im.test(data);
      if (isLast) this.last += 1;
      data = '';
      if (asked === 1) {
        this.#connected += 1;
        this.#beginNext();
        if (this.#connected === this.#options.count) this.#allConnected();
      }
      if (!isLast) this.#pause(pauseMs, ask);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => this.#fail(error.code ?? error.message));
    socket.on('end', () => socket.end());
    socket.on('close', (hadError) => {
      this.#open.delete(socket);
      if (waiting !== undefined) {
        clearTimeout(waiting);
        if (!hadError) this.#fail('ended without an answer');
      } else if (!isLast && !this.#stopped) this.endedIdle += 1;
      this.#pause(pauseMs, () => this.#connect(i));
    });
  }

  #pause([least, most]: readonly [number, number], then: () => void): void {
    if (this.#stopped) return;
    const pause = setTimeout(
      () => {
        this.#pauses.delete(pause);
        then();
      },
      least + Math.random() * (most - least),
    );
    this.#pauses.add(pause);
  }
}
