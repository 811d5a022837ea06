/** Clients of test/fixtures/apps/kinds.cjs, each of which knows of everything that it should have got. */
import dgram from 'node:dgram';
import { once } from 'node:events';
import http from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { EventSource } from 'eventsource';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import { Client, PortClient } from './client.js';

const host = '127.0.0.1';
/** Conversations that last until the next reload. */
const ENDLESS_MS = 120_000;
/** Pauses differ from round to round, so that clients do not fall into step with the drain. */
const think = (mostMs: number) => pause(mostMs * (0.5 + Math.random() / 2));

/** Sends a word and waits until it comes back; one that is still to come when the close frame does is lost. */
export class Echoes extends PortClient {
  protected override readonly limitMs = ENDLESS_MS;
  readonly #path: string;
  readonly #open = new Set<WebSocket>();
  /** Words that came back. */
  count = 0;
  readonly codes = new Set<number>();

  constructor(name: string, port: number, path: string) {
    super(name, port);
    this.#path = path;
  }

  override async stop(): Promise<void> {
    this.running = false;
    for (const socket of this.#open) socket.close();
    await super.stop();
  }

  protected async converse(): Promise<void> {
    const socket = new WebSocket(`ws://${host}:${this.port}${this.#path}`);
    await once(socket, 'open');
    this.#open.add(socket);
    const closed = once(socket, 'close').then(([code]) => {
      this.#open.delete(socket);
      if (this.running) this.codes.add(code as number);
      return undefined;
    });
    for (let n = 0; this.running && socket.readyState === WebSocket.OPEN; n++) {
      const answer = once(socket, 'message').then(([word]) => String(word));
      answer.catch(() => {});
      socket.send(`word ${n}`);
      const word = await Promise.race([answer, closed]);
      if (word === undefined && this.running) throw new Error('outstanding at the close frame');
      if (word !== undefined && word !== `word ${n}`) throw new Error(`${word} for word ${n}`);
      if (word !== undefined) this.count += 1;
      await Promise.race([think(30), closed]);
    }
    if (!this.running) socket.close();
    await closed;
  }
}

/**
 * Acknowledgements, with nothing that sends again what was not acknowledged. The library takes messages until its connection
 * has closed, and drops those that it is given between the close frame and then: they are never sent, and are counted apart.
 */
export class Acknowledgements extends Client {
  readonly #socket: ReturnType<typeof io>;
  connects = 0;
  unsent = 0;
  count = 0;
  #next = 0;

  constructor(name: string, port: number) {
    super(name);
    this.#socket = io(`http://${host}:${port}`, { transports: ['websocket'], reconnectionDelay: 20 });
    this.#socket.on('connect', () => {
      this.connects += 1;
    });
  }

  override async stop(): Promise<void> {
    await super.stop();
    this.#socket.disconnect();
  }

  protected async converse(): Promise<void> {
    if (!this.#socket.connected) await new Promise<void>((resolve) => this.#socket.once('connect', () => resolve()));
    const { ws } = this.#socket.io.engine.transport as unknown as { ws: WebSocket };
    if (ws.readyState !== WebSocket.OPEN) {
      this.unsent += 1;
      await new Promise<void>((resolve) => this.#socket.once('disconnect', () => resolve()));
      return;
    }
    const answer = await this.#socket.timeout(5_000).emitWithAck('count', this.#next);
    if (answer !== this.#next) throw new Error(`${answer} for ${this.#next}`);
    this.#next += 1;
    this.count += 1;
    await think(20);
  }
}

abstract class Reader extends PortClient {
  protected override readonly limitMs = ENDLESS_MS;
  /** Units that came whole: events or lines. */
  count = 0;
  streams = 0;

  /** Reads one answer to its end; @returns what is left behind the last whole unit, and whether the end was a proper one. */
  protected async read(path: string, end: string, headers: http.OutgoingHttpHeaders, take: (unit: string) => void) {
    const request = http.get({ host, port: this.port, path, headers, agent: false });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    this.streams += 1;
    this.endless.add(response.socket);
    if (!this.running) response.socket.destroy();
    let rest = '';
    response.setEncoding('utf8').on('data', (piece: string) => {
      const units = (rest + piece).split(end);
      rest = units.pop() ?? '';
      for (const unit of units) take(unit);
    });
    response.on('error', () => {}); // told by `complete`
    await new Promise((resolve) => response.once('close', resolve));
    this.endless.delete(response.socket);
    return { rest, complete: response.complete };
  }
}

/** Server-sent events as the standard has them read, in one long row over many answers. */
export class EventRow extends Reader {
  #last = 0;

  protected async converse(): Promise<void> {
    const headers = { accept: 'text/event-stream', 'last-event-id': String(this.#last) };
    const { rest, complete } = await this.read('/events', '\n\n', headers, (event) => {
      const id = /^id: (\d+)/.exec(event)?.[1];
      if (id === undefined) return;
      if (Number(id) !== this.#last + 1) this.fail(new Error(`a gap: ${id} after ${this.#last}`));
      this.#last = Number(id);
      this.count += 1;
    });
    if (!this.running) return;
    if (rest !== '') throw new Error('cut inside an event');
    if (!complete) throw new Error('not finished');
  }
}

/** The same by a library. */
export class EventSourceRow extends Client {
  readonly #source: EventSource;
  #last = 0;
  opened = 0;

  constructor(name: string, port: number) {
    super(name);
    this.#source = new EventSource(`http://${host}:${port}/events`);
    this.#source.addEventListener('open', () => {
      this.opened += 1;
    });
    this.#source.addEventListener('message', ({ lastEventId }) => {
      if (Number(lastEventId) !== this.#last + 1) this.fail(new Error(`a gap: ${lastEventId} after ${this.#last}`));
      this.#last = Number(lastEventId);
      this.done += 1;
    });
    this.#source.addEventListener('error', ({ message }) => {
      if (this.#source.readyState === this.#source.CLOSED) this.fail(new Error(message ?? 'gave up'));
    });
  }

  override async stop(): Promise<void> {
    this.#source.close();
    await super.stop();
  }

  protected async converse(): Promise<void> {}
}

/** Lines of JSON without an end. */
export class LineRow extends Reader {
  protected async converse(): Promise<void> {
    let last = 0;
    const { rest } = await this.read('/lines', '\n', {}, (line) => {
      const { n } = JSON.parse(line) as { n: number };
      if (n !== last + 1) this.fail(new Error(`a gap: ${n} after ${last}`));
      last = n;
      this.count += 1;
    });
    if (this.running && rest !== '') throw new Error('cut inside a line');
  }
}

/** Datagrams, of which several are under way; one without an answer is lost. */
export class SlowDatagrams extends PortClient {
  protected async converse(): Promise<void> {
    const socket = dgram.createSocket('udp4');
    try {
      socket.send('hello', this.port, host);
      await once(socket, 'message', { signal: AbortSignal.timeout(3_000) });
    } finally {
      socket.close();
    }
    await think(20);
  }
}
