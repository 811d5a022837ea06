/**
 * The control API: HTTP with JSON over a unix socket, for the command line and for `curl --unix-socket`.
 *
 * Opened by the supervisor. It only passes on what it is asked: a client that goes away, reads slowly or sends
 * nonsense must never disturb the supervisor, and never cancels what it asked for.
 */
import type http from 'node:http';
import { HoldfastError } from '../errors.js';
import type { ControlLine, ControlResult, ControlTarget } from '../protocol.js';
import { DESCRIBE_BODY_ALLOWED, readDescribeOptions } from './describe-options.js';
import { KeptSocket } from './kept-socket.js';
import { createServer, reasonOf } from './lean-http.js';
import { LineStream } from './line-stream.js';
import { PROFILE_BODY_ALLOWED, readInspectOptions, readProfileOptions } from './profile-options.js';
import { RELOAD_BODY_ALLOWED, readReloadOptions } from './reload-options.js';

const BODY_LIMIT_BYTES = 64 * 1024;
/** A request is a few hundred bytes from the same machine. */
const REQUEST_TIMEOUT_MS = 10_000;
/** Its owner's programs are few; a script that opens connections without end must not take the supervisor's descriptors. */
const CONNECTION_LIMIT = 128;
/** Each may have a mebibyte that waits for it. */
const FOLLOWER_LIMIT = 16;

export interface ControlServerOptions {
  /** The runtime folder; created if need be. */
  readonly dir: string;
  readonly name: string;
  readonly target: ControlTarget;
  /** Told when the control socket was gone and is there again, or of the reason why it is not. */
  readonly onRestored?: (problem: string | null) => void;
  /** How often it is looked whether it is still there, in milliseconds. */
  readonly lookEveryMs?: number;
}

type Progress = (line: ControlLine & { type: 'progress' }) => void;
type Route = { readonly method: 'GET' | 'POST'; readonly handle: Handler };
type Handler = (response: http.ServerResponse, body: unknown) => void | Promise<void>;

export class ControlServer {
  readonly #target: ControlTarget;
  readonly #name: string;
  readonly #routes: ReadonlyMap<string, Route>;
  #followers = 0;
  /** Streams that a close has to end. */
  readonly #open = new Set<() => void>();
  #socket: KeptSocket | undefined;
  #closed: Promise<void> | null = null;

  private constructor(options: ControlServerOptions) {
    const { name, target } = options;
    this.#target = target;
    this.#name = name;
    this.#routes = new Map<string, Route>([
      ['/status', { method: 'GET', handle: (response) => this.#status(response) }],
      ['/logs', { method: 'GET', handle: (response) => this.#logs(response) }],
      ['/reload', { method: 'POST', handle: (response, body) => this.#reload(response, body) }],
      ['/promote', { method: 'POST', handle: (response) => this.#perform(response, (on) => target.promote(on)) }],
      ['/abort', { method: 'POST', handle: (response) => this.#perform(response, (on) => target.abort(on)) }],
      ['/restart', { method: 'POST', handle: (response) => this.#perform(response, (on) => target.restart(on)) }],
      ['/stop', { method: 'POST', handle: (response) => this.#perform(response, (on) => target.stop(on), true) }],
      ['/profile', { method: 'POST', handle: (response, body) => this.#profile(response, body) }],
      ['/inspect', { method: 'POST', handle: (response, body) => this.#inspect(response, body) }],
      ['/describe', { method: 'POST', handle: (response, body) => this.#describe(response, body) }],
      ['/scale', { method: 'POST', handle: (response, body) => this.#scale(response, body) }],
    ]);
  }

  #makeServer(): http.Server {
    const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
      // A client that has gone: what it asked for goes on all the same.
      response.on('error', () => {});
      this.#answer(request, response).catch((error: unknown) => {
        if (!response.headersSent) refuse(response, 500, reasonOf(error));
        else response.destroy();
      });
    });
    // One request a connection: what follows it, and be it thousands, is not looked at.
    server.maxRequestsPerSocket = 1;
    server.on('dropRequest', ({ socket }: http.IncomingMessage) => socket.pause());
    server.maxConnections = CONNECTION_LIMIT;
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

  /** Removes the socket, then ends what clients still read: those whose request has no answer yet are told so. */
  close(): Promise<void> {
    this.#closed ??=
      this.#socket?.close(() => {
        for (const end of this.#open) end();
      }) ?? Promise.resolve();
    return this.#closed;
  }

  async #answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const path = request.url?.split('?')[0] ?? '';
    const route = this.#routes.get(path);
    const body = await readBody(request);
    if (route === undefined) {
      return refuse(response, 404, `cannot find ${path}: there is ${[...this.#routes.keys()].join(', ')}`);
    }
    if (route.method !== request.method) {
      response.setHeader('allow', route.method);
      return refuse(response, 405, `cannot ${request.method} ${path}: use ${route.method}`);
    }
    if (body === null) {
      return refuse(response, 413, `cannot read the body: it is larger than ${BODY_LIMIT_BYTES} bytes`);
    }
    let parsed: unknown;
    try {
      parsed = body.trim() === '' ? undefined : JSON.parse(body);
    } catch (error) {
      return refuse(response, 400, `cannot read the body: ${reasonOf(error)}`);
    }
    await route.handle(response, parsed);
  }

  async #status(response: http.ServerResponse): Promise<void> {
    sendJson(response, 200, await this.#target.status());
  }

  #profile(response: http.ServerResponse, body: unknown): void | Promise<void> {
    const options = readProfileOptions(body);
    if (options !== null) return this.#perform(response, (on) => this.#target.profile(options, on));
    return refuse(response, 400, `cannot profile: the body ${PROFILE_BODY_ALLOWED}`);
  }

  #inspect(response: http.ServerResponse, body: unknown): void | Promise<void> {
    const options = readInspectOptions(body);
    if (options === null) return refuse(response, 400, 'cannot inspect: the body must be like {"of":3}');
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    return this.#perform(response, (on) => this.#target.inspect(options, on, gone.signal));
  }

  async #describe(response: http.ServerResponse, body: unknown): Promise<void> {
    const options = readDescribeOptions(body);
    if (options === null) return refuse(response, 400, `cannot describe: the body ${DESCRIBE_BODY_ALLOWED}`);
    try {
      sendJson(response, 200, await this.#target.describe(options));
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      refuse(response, 422, error.message);
    }
  }

  #reload(response: http.ServerResponse, body: unknown): void | Promise<void> {
    const options = readReloadOptions(body);
    if (options !== null) return this.#perform(response, (on) => this.#target.reload(on, options));
    return refuse(response, 400, `cannot reload: the body ${RELOAD_BODY_ALLOWED}`);
  }

  #scale(response: http.ServerResponse, body: unknown): void | Promise<void> {
    const change: unknown = typeof body === 'object' && body !== null && 'change' in body ? body.change : undefined;
    if (typeof change !== 'string' || !/^[+-]?\d{1,6}$/.test(change)) {
      return refuse(
        response,
        400,
        'cannot scale: the body must be like {"change":"4"}, {"change":"+2"}, {"change":"-1"}',
      );
    }
    return this.#perform(response, (on) => this.#target.scale(change, on));
  }

  /** @param untilClosed the answer to a stop ends when the name is free again: who waits for it can start anew */
  async #perform(
    response: http.ServerResponse,
    run: (progress: Progress) => Promise<ControlResult>,
    untilClosed = false,
  ): Promise<void> {
    const stream = new LineStream(response, (dropped) =>
      progressLine({ type: 'progress', message: 'progress lines dropped', fields: { dropped } }),
    );
    let concluded = false;
    const end = (result: ControlResult) => {
      this.#open.delete(endUnanswered);
      stream.end(concluded ? undefined : resultLine(result));
      concluded = true;
    };
    const endUnanswered = () => end({ ok: false, message: 'failed', reason: 'the supervisor ended before' });
    this.#open.add(endUnanswered);
    const result = await settled(run, (line) => {
      if (!concluded) stream.write(progressLine(line));
    });
    if (!this.#open.has(endUnanswered)) return;
    if (!untilClosed || !result.ok) return end(result);
    stream.conclude(resultLine(result));
    concluded = true;
    response.once('close', () => this.#open.delete(endUnanswered));
  }

  #logs(response: http.ServerResponse): void {
    if (this.#followers >= FOLLOWER_LIMIT) {
      refuse(response, 503, `cannot follow the logs: ${FOLLOWER_LIMIT} follow them already`);
      return;
    }
    this.#followers += 1;
    response.once('close', () => {
      this.#followers -= 1;
    });
    const stream = new LineStream(response, (dropped) =>
      JSON.stringify({
        level: 'warn',
        time: new Date().toISOString(),
        pid: process.pid,
        name: this.#name,
        dropped,
        msg: 'log lines dropped',
      }),
    );
    const unfollow = this.#target.followLogs((line) => stream.write(line));
    const end = () => {
      unfollow();
      this.#open.delete(end);
      stream.end();
    };
    this.#open.add(end);
    response.once('close', end);
  }
}

async function settled(run: (progress: Progress) => Promise<ControlResult>, progress: Progress) {
  try {
    return await run(progress);
  } catch (error) {
    return { ok: false, message: 'failed', reason: reasonOf(error) } satisfies ControlResult;
  }
}

/** Reads to the end in any case, so that the client hears the answer. Null for a body that is too large. */
async function readBody(request: http.IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= BODY_LIMIT_BYTES) chunks.push(chunk);
  }
  return bytes > BODY_LIMIT_BYTES ? null : Buffer.concat(chunks).toString('utf8');
}

function progressLine(line: ControlLine & { type: 'progress' }): string {
  return JSON.stringify(line);
}

function resultLine({ ok, message, reason, changes, file }: ControlResult): string {
  const more = { ...(changes && { changes }), ...(file !== undefined && { file }) };
  return JSON.stringify({ type: 'result', ok, message, reason, ...more } satisfies ControlLine);
}

function refuse(response: http.ServerResponse, statusCode: number, error: string): void {
  sendJson(response, statusCode, { error });
}

function sendJson(response: http.ServerResponse, statusCode: number, value: unknown): void {
  response.writeHead(statusCode, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(value)}\n`);
}
