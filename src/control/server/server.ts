/**
 * The control API: HTTP with JSON over a unix socket, for the command line and for `curl --unix-socket`.
 *
 * Opened by the supervisor. It only passes on what it is asked: a client that goes away, reads slowly or sends
 * nonsense must never disturb the supervisor, and never cancels what it asked for; but a profile or an inspector that nobody
 * waits for any more has an end.
 */
import type http from 'node:http';
import type net from 'node:net';
import type { ControlTarget } from '../../protocol/control.js';
import { LeanServer, reasonOf } from '../lean-http.js';
import { BODY_HINT, BODY_LIMIT_BYTES, readBody, refuse } from './answer.js';
import { KeptSocket, type PassedSocket } from './kept-socket.js';
import { Routes } from './routes.js';

/** A request is a few hundred bytes from the same machine. */
const REQUEST_TIMEOUT_MS = 10_000;
/** Its owner's programs are few; a script that opens connections without end must not take the supervisor's descriptors. */
const CONNECTION_LIMIT = 128;
/** Before every path: what this API says and answers, as config/openapi.yaml describes it, stays. */
const VERSION = '/v1';
/** Without a version, for a command line of before there was one: the same, with lines of JSON for events. */
const OLD_PATHS = new Set('/status /logs /reload /promote /abort /restart /stop /scale'.split(' '));

export interface ControlServerOptions {
  /** The runtime folder; created if need be. */
  readonly dir: string;
  readonly name: string;
  readonly target: ControlTarget;
  /** Told when the control socket was gone and is there again, or of the reason why it is not. */
  readonly onRestored?: (problem: string | null) => void;
  /** How often it is looked whether it is still there, in milliseconds. */
  readonly lookEveryMs?: number;
  /** Of the program that was here before an exec. */
  readonly passed?: PassedSocket | null;
  /** Told when another supervisor has the name; who that is may take seconds to find out. */
  readonly onTaken?: () => void;
}

export class ControlServer {
  readonly #routes: Routes;
  /** Connections whose answer has not begun yet. */
  readonly #asking = new Set<net.Socket>();
  #socket: KeptSocket | undefined;
  #closed: Promise<void> | null = null;

  private constructor({ name, target }: ControlServerOptions) {
    this.#routes = new Routes(target, name, ({ socket }) => {
      if (socket !== null) this.#asking.delete(socket);
    });
  }

  #makeServer(): LeanServer {
    const server = new LeanServer((createServer) => this.#makeHttp(createServer));
    server.maxConnections = CONNECTION_LIMIT;
    server.on('connection', (socket) => {
      this.#asking.add(socket);
      socket.once('close', () => this.#asking.delete(socket));
    });
    return server;
  }

  #makeHttp(createServer: typeof http.createServer): http.Server {
    const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
      // A client that has gone: what it asked for goes on all the same.
      response.on('error', () => {});
      this.#answer(request, response).catch((error: unknown) => {
        if (response.headersSent) response.destroy();
        else
          refuse(response, 500, `cannot answer ${request.url}: ${reasonOf(error)}`, 'look at the log: holdfast logs');
      });
    });
    // One request a connection: what follows it, and be it thousands, is not looked at.
    server.maxRequestsPerSocket = 1;
    server.on('dropRequest', ({ socket }: http.IncomingMessage) => socket.pause());
    return server;
  }

  /**
   * Takes the name and listens on `<name>.sock` in the runtime folder, with mode 0600.
   *
   * @throws HoldfastError ALREADY_RUNNING, RUNTIME_DIR_UNSAFE, RUNTIME_DIR, PATH_TOO_LONG, PATH_TAKEN, BAD_NAME
   */
  static async open(options: ControlServerOptions): Promise<ControlServer> {
    const server = new ControlServer(options);
    const makeServer = () => server.#makeServer();
    server.#socket = await KeptSocket.open({ ...options, makeServer });
    return server;
  }

  /** The control socket's path. */
  get path(): string {
    return this.#socket?.path ?? '';
  }

  /** Whether somebody has connected and has had nothing of an answer. */
  get isAsked(): boolean {
    return this.#asking.size > 0;
  }

  /** Loads what a first client would wait for: when there is time. */
  prepare(): void {
    this.#socket?.prepare();
  }

  /** For the program that takes the place of this one. */
  get passable(): PassedSocket | null {
    return this.#socket?.passable ?? null;
  }

  /** Removes the socket, then ends what clients still read: those whose request has no answer yet are told so. */
  close(): Promise<void> {
    this.#closed ??= this.#socket?.close(() => this.#routes.endAll()) ?? Promise.resolve();
    return this.#closed;
  }

  async #answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const [path = '', query] = request.url?.split('?', 2) ?? [];
    const isOld = OLD_PATHS.has(path);
    const route = this.#routes.byPath.get(isOld ? VERSION + path : path);
    const body = await readBody(request);
    if (route === undefined) {
      const error = `cannot find ${path}: there is ${[...this.#routes.byPath.keys()].join(', ')}`;
      return refuse(response, 404, error, 'compare the versions: holdfast status --json');
    }
    if (route.method !== request.method) {
      response.setHeader('allow', route.method);
      return refuse(
        response,
        405,
        `cannot ${request.method} ${path}: use ${route.method}`,
        `send it as ${route.method}`,
      );
    }
    if (body === null) {
      return refuse(response, 413, `cannot read the body: it is larger than ${BODY_LIMIT_BYTES} bytes`, BODY_HINT);
    }
    let parsed: unknown;
    try {
      parsed = body.trim() === '' ? undefined : JSON.parse(body);
    } catch (error) {
      return refuse(response, 400, `cannot read the body: ${reasonOf(error)}`, BODY_HINT);
    }
    await route.handle(response, {
      body: parsed,
      format: isOld ? 'lines' : 'events',
      query: new URLSearchParams(query),
    });
  }
}
