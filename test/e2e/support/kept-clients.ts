/** Clients that keep their connection, and see when it is closed. */
import { once } from 'node:events';
import http from 'node:http';
import type https from 'node:https';
import net from 'node:net';

/** Between an answer and the next question, in milliseconds: there are a dozen of them, and each asks for as long as its test. */
const THINK_MS = 20;

/** Asks over one connection, again and again, and never a second time. */
export class Keeping {
  connections = 0;
  answers = 0;
  readonly errors: string[] = [];
  #stopped = false;
  readonly #agent: http.Agent;
  readonly #done: Promise<void>;

  constructor(module: typeof http | typeof https, port: number) {
    const options = { keepAlive: true, maxSockets: 1, rejectUnauthorized: false };
    this.#agent = new module.Agent(options);
    const { createConnection } = this.#agent as unknown as { createConnection: (...given: unknown[]) => unknown };
    Object.assign(this.#agent, {
      createConnection: (...given: unknown[]) => {
        this.connections += 1;
        return Reflect.apply(createConnection, this.#agent, given);
      },
    });
    this.#done = this.#goOn(module, port);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
    this.#agent.destroy();
  }

  async #goOn(module: typeof http | typeof https, port: number): Promise<void> {
    while (!this.#stopped) {
      try {
        const request = module.request({ host: '127.0.0.1', port, agent: this.#agent, method: 'POST' }).end('x');
        const [response] = (await once(request, 'response')) as [http.IncomingMessage];
        await once(response.resume(), 'end');
        this.answers += 1;
      } catch (error) {
        this.errors.push(String(error));
      }
      await new Promise((resolve) => setTimeout(resolve, THINK_MS));
    }
  }
}

/** A connection behind an upgrade that says something again and again, and is answered. */
export class Echo {
  answers = 0;
  closed = false;
  readonly #socket: net.Socket;

  constructor(port: number) {
    this.#socket = net.connect(port, '127.0.0.1');
    this.#socket.on('error', () => {});
    this.#socket.once('close', () => {
      this.closed = true;
    });
    this.#socket.on('data', () => {
      this.answers += 1;
      setTimeout(() => this.#socket.write('x'), THINK_MS);
    });
    this.#socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
  }

  end(): void {
    this.#socket.destroy();
  }
}

/** Each has been answered as often again. */
export async function haveAnswered(clients: readonly (Keeping | Echo)[], times: number): Promise<void> {
  const wanted = clients.map(({ answers }) => answers + times);
  while (clients.some(({ answers }, i) => answers < (wanted[i] ?? 0))) {
    const closed = clients.find((client) => 'closed' in client && client.closed);
    if (closed !== undefined) throw new Error('a connection was closed');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A load balancer that asks for the readiness again and again. */
export class Probes {
  answers = 0;
  readonly refusals: string[] = [];
  #stopped = false;
  readonly #done: Promise<void>;

  constructor(port: number) {
    this.#done = this.#goOn(port);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async #goOn(port: number): Promise<void> {
    while (!this.#stopped) {
      try {
        const request = http.get({ host: '127.0.0.1', port, path: '/readyz', agent: false });
        const [response] = (await once(request, 'response')) as [http.IncomingMessage];
        await once(response.resume(), 'end');
        if (response.statusCode !== 200) this.refusals.push(String(response.statusCode));
        this.answers += 1;
      } catch (error) {
        this.refusals.push(String(error));
      }
      await new Promise((resolve) => setTimeout(resolve, THINK_MS));
    }
  }
}
