/**
 * Load that sees loss: nothing is retried, every kind of error is counted by its name.
 *
 * New connections come at even distances, by default every 5 ms: what finds a moment in which connections are refused is how
 * far apart they are. Clients that begin at once and pause alike would come in bursts, ten times as far from each other.
 */
import http from 'node:http';
import net from 'node:net';
import { KeptAgent } from '../../support/kept-agent.js';

export interface LoadOptions {
  readonly port?: number;
  /** Of a unix socket, in place of the port. */
  readonly socketPath?: string;
  /** Clients that open a new connection for each request. */
  readonly fresh?: number;
  /** Clients that POST over one keep-alive connection. */
  readonly keepAlive?: number;
  /** How many new connections they open in a second, all together: fewer only where answers take longer than that allows. */
  readonly perSecond?: number;
  /** What a keep-alive client waits between its requests, in milliseconds. */
  readonly thinkMs?: number;
  /** A request without an answer after this long is an error of its own, in milliseconds. */
  readonly timeoutMs?: number;
}

export interface Answer {
  readonly sentAt: number;
  readonly receivedAt: number;
  readonly pid: number;
  readonly generation: number;
}

const BODY = 'x'.repeat(512);

export class Load {
  readonly #options: LoadOptions & Required<Omit<LoadOptions, 'port' | 'socketPath'>>;
  readonly answers: Answer[] = [];
  readonly errors: Record<string, number> = {};
  /** The client's port of each request that failed; undefined where there was no connection. */
  readonly failedPorts: (number | undefined)[] = [];
  readonly #clients: Promise<void>[] = [];
  #running = true;
  slowestMs = 0;

  constructor(options: LoadOptions) {
    this.#options = { fresh: 16, keepAlive: 16, perSecond: 200, thinkMs: 40, timeoutMs: 10_000, ...options };
    for (let i = 0; i < this.#options.fresh; i++) this.#clients.push(this.#client(false, i));
    for (let i = 0; i < this.#options.keepAlive; i++) this.#clients.push(this.#client(true, i));
  }

  /** Lets each client finish its request. */
  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#clients);
  }

  /** For the name of an assertion, which is all that some reports keep of it. */
  summary(): string {
    return `${this.answers.length} requests, the slowest took ${this.slowestMs} ms, errors ${JSON.stringify(this.errors)}`;
  }

  async #client(keepAlive: boolean, number: number): Promise<void> {
    const { fresh, keepAlive: kept, perSecond, thinkMs } = this.#options;
    // As fast as they can, two of them take a whole processor: what is tested would be the machine.
    const pauseMs = keepAlive ? thinkMs : (fresh / perSecond) * 1_000;
    const begunAt = performance.now() + (pauseMs * number) / (keepAlive ? kept : fresh);
    await until(begunAt);
    const agent = keepAlive ? new KeptAgent() : undefined;
    while (this.#running) {
      agent?.giveUpLate();
      const sentAt = Date.now();
      try {
        const answer = await this.#request(agent);
        const receivedAt = Date.now();
        this.slowestMs = Math.max(this.slowestMs, receivedAt - sentAt);
        this.answers.push({ ...answer, sentAt, receivedAt });
      } catch (error) {
        const kind = error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.message) : String(error);
        this.errors[kind] = (this.errors[kind] ?? 0) + 1;
      }
      const now = performance.now();
      // Who opens connections comes at times of its own, however long the answer took: all stay as far apart as they began.
      await until(now + (keepAlive ? pauseMs : pauseMs - ((now - begunAt) % pauseMs)));
    }
    agent?.destroy();
  }

  /** @param agent over whose connection it goes; over one of its own without */
  #request(agent: http.Agent | undefined): Promise<{ pid: number; generation: number }> {
    const { port = 0, socketPath, timeoutMs } = this.#options;
    const where = socketPath === undefined ? { host: '127.0.0.1', port } : { path: socketPath };
    const keepAlive = agent !== undefined;
    return new Promise((resolve, reject) => {
      const request = http.request({
        ...(socketPath === undefined ? { host: '127.0.0.1', port } : { socketPath }),
        // An agent that keeps nothing is a good part of what a request costs.
        ...(agent === undefined ? { createConnection: () => net.connect(where) } : { agent }),
        method: keepAlive ? 'POST' : 'GET',
        path: '/',
        headers: keepAlive ? { 'content-length': BODY.length } : {},
      });
      let localPort: number | undefined;
      request.on('socket', (socket) => {
        const note = () => {
          localPort = socket.localPort;
        };
        if (socket.connecting) socket.once('connect', note);
        else note();
      });
      const timer = setTimeout(() => request.destroy(new Error('timeout')), timeoutMs);
      const fail = (error: Error) => {
        clearTimeout(timer);
        this.failedPorts.push(localPort);
        reject(error);
      };
      request.on('error', fail);
      request.on('response', (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('error', fail);
        response.on('end', () => {
          clearTimeout(timer);
          if (response.statusCode !== 200) return reject(new Error(`status ${response.statusCode}`));
          const body = JSON.parse(text) as { pid: number; generation: number; received: number };
          if (body.received !== (keepAlive ? BODY.length : 0)) return reject(new Error('body cut off'));
          resolve(body);
        });
      });
      request.end(keepAlive ? BODY : undefined);
    });
  }
}

function until(time: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, time - performance.now()));
}
