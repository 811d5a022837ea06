/**
 * Keep-alive clients that split, pipeline and hesitate by chance: every answer must come, in order, with the body that was sent,
 * over the connection that they have from the beginning.
 */
import net from 'node:net';
import { setTimeout } from 'node:timers/promises';

export class FuzzClients {
  readonly faults: string[] = [];
  answers = 0;
  /** How often two answers in a row of one client came from different workers. */
  moves = 0;
  #stopped = false;
  readonly #all: Promise<void>[] = [];
  readonly #random: (below: number) => number;

  constructor(seed: number) {
    let state = seed >>> 0;
    // A linear congruential generator (Numerical Recipes, section 7.1): the same course for the same seed.
    this.#random = (below) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
  }

  start(port: number, count: number): this {
    for (let i = 0; i < count; i++) this.#all.push(this.#run(port, i));
    return this;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#all);
  }

  async #run(port: number, i: number): Promise<void> {
    const socket = net.connect(port, '127.0.0.1').setNoDelay(true);
    let data = '';
    let over: string | undefined;
    let wake = () => {};
    socket.on('data', (chunk) => {
      data += chunk.toString('latin1');
      wake();
    });
    for (const event of ['end', 'close', 'error'] as const) {
      socket.on(event, (error?: NodeJS.ErrnoException | boolean) => {
        over ??= (error instanceof Error && error.code) || event;
        wake();
      });
    }
    let asked = 0;
    let last: string | undefined;
    while (!this.#stopped && over === undefined) {
      const bodies = Array.from({ length: 1 + this.#random(4) * this.#random(2) }, () => this.#body(i, ++asked));
      await this.#write(socket, bodies.map((body) => this.#request(body)).join(''));
      for (const body of bodies) {
        let answer = parse(data);
        while (answer === undefined && over === undefined) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          answer = parse(data);
        }
        if (answer === undefined) {
          this.faults.push(`client ${i}: ${over} instead of an answer to ${body.slice(0, 20)}`);
          return;
        }
        data = data.slice(answer.length);
        this.answers += 1;
        if (answer.body !== body || answer.isLast)
          this.faults.push(`client ${i}: ${answer.head} for ${body.slice(0, 20)}`);
        if (last !== undefined && answer.worker !== last) this.moves += 1;
        last = answer.worker;
      }
      if (this.#random(3) === 0) await setTimeout(this.#random(60));
    }
    if (over !== undefined) this.faults.push(`client ${i}: ${over} between two requests`);
    socket.destroy();
  }

  #body(i: number, asked: number): string {
    return `${i}-${asked}-${'x'.repeat(this.#random(5) === 0 ? this.#random(3_000) : this.#random(20))}`;
  }

  #request(body: string): string {
    if (this.#random(3) === 0) {
      return `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    }
    // Empty lines before a request are allowed: RFC 9112, section 2.2.
    const before = this.#random(9) === 0 ? '\r\n' : '';
    return `${before}POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  }

  async #write(socket: net.Socket, text: string): Promise<void> {
    for (let rest = text; rest !== '' && !socket.destroyed; ) {
      const length = this.#random(3) === 0 ? 1 + this.#random(40) : rest.length;
      socket.write(rest.slice(0, length), 'latin1');
      rest = rest.slice(length);
      if (rest !== '') await setTimeout(this.#random(45));
    }
  }
}

function parse(data: string) {
  const end = data.indexOf('\r\n\r\n') + 4;
  if (end < 4) return undefined;
  const head = data.slice(0, end);
  const length = Number(/content-length: (\d+)/i.exec(head)?.[1]);
  if (data.length < end + length) return undefined;
  const worker = /x-worker: (\d+)/i.exec(head)?.[1] ?? '';
  return {
    head,
    worker,
    isLast: /connection: close/i.test(head),
    body: data.slice(end, end + length),
    length: end + length,
  };
}
