/**
 * The control API: HTTP with JSON over a unix socket, for the command line and for `curl --unix-socket`.
 *
 * Opened by the supervisor. It only passes on what it is asked: a client that goes away, reads slowly or sends
 * nonsense must never disturb the supervisor, and never cancels what it asked for; but a profile or an inspector that nobody
 * waits for any more has an end.
 */
import type http from 'node:http';
import type net from 'node:net';
import { HoldfastError } from '../errors.js';
import type { ControlLine, ControlResult, ControlTarget } from '../protocol.js';
import { BODY_HINT, BODY_LIMIT_BYTES, readBody, refuse, sendJson } from './answer.js';
import { DESCRIBE_BODY_ALLOWED, readDescribeOptions } from './describe-options.js';
import { feedEvents } from './event-feed.js';
import { KeptSocket, type PassedSocket } from './kept-socket.js';
import { createServer, reasonOf } from './lean-http.js';
import { LEAVE_BODY_ALLOWED, readLeaveOptions } from './leave-options.js';
import { sendLogs } from './log-feed.js';
import { readLogQuery } from './log-query.js';
import { PROFILE_BODY_ALLOWED, readInspectOptions, readProfileOptions } from './profile-options.js';
import { type AnswerFormat, ProgressStream } from './progress-stream.js';
import { RELOAD_BODY_ALLOWED, readReloadOptions } from './reload-options.js';
import { readUpgradeOptions, UPGRADE_BODY_ALLOWED } from './upgrade-options.js';
import { WatchedStatus } from './watched-status.js';

/** A request is a few hundred bytes from the same machine. */
const REQUEST_TIMEOUT_MS = 10_000;
/** Its owner's programs are few; a script that opens connections without end must not take the supervisor's descriptors. */
const CONNECTION_LIMIT = 128;
/** Each may have a mebibyte that waits for it. */
const FOLLOWER_LIMIT = 16;
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
}

type Progress = (line: ControlLine & { type: 'progress' }) => void;
type Route = { readonly method: 'GET' | 'POST'; readonly handle: Handler };
/** What is asked, beside the path. */
interface Asked {
  readonly body: unknown;
  readonly format: AnswerFormat;
  readonly query: URLSearchParams;
}
type Handler = (response: http.ServerResponse, asked: Asked) => void | Promise<void>;

export class ControlServer {
  readonly #target: ControlTarget;
  readonly #name: string;
  readonly #routes: ReadonlyMap<string, Route>;
  #followers = 0;
  #feeds = 0;
  /** Streams that a close has to end. */
  readonly #open = new Set<() => void>();
  /** Connections whose answer has not begun yet. */
  readonly #asking = new Set<net.Socket>();
  readonly #watched = new WatchedStatus(() => this.#target.status(true));
  #socket: KeptSocket | undefined;
  #closed: Promise<void> | null = null;

  private constructor(options: ControlServerOptions) {
    const { name, target } = options;
    this.#target = target;
    this.#name = name;
    const perform =
      (run: (progress: Progress) => Promise<ControlResult>, untilClosed = false): Handler =>
      (response, { format }) =>
        this.#perform(response, format, run, untilClosed);
    this.#routes = new Map<string, Route>([
      ['/v1/status', { method: 'GET', handle: (response, { query }) => this.#status(response, query) }],
      ['/v1/logs', { method: 'GET', handle: (response, { query }) => this.#logs(response, query) }],
      ['/v1/events', { method: 'GET', handle: (response) => this.#events(response) }],
      ['/v1/describe', { method: 'POST', handle: (response, { body }) => this.#describe(response, body) }],
      ['/v1/profile', { method: 'POST', handle: (response, asked) => this.#profile(response, asked) }],
      ['/v1/inspect', { method: 'POST', handle: (response, asked) => this.#inspect(response, asked) }],
      ['/v1/reload', { method: 'POST', handle: (response, asked) => this.#reload(response, asked) }],
      ['/v1/promote', { method: 'POST', handle: perform((on) => target.promote(on)) }],
      ['/v1/abort', { method: 'POST', handle: perform((on) => target.abort(on)) }],
      ['/v1/restart', { method: 'POST', handle: perform((on) => target.restart(on)) }],
      ['/v1/stop', { method: 'POST', handle: perform((on) => target.stop(on), true) }],
      ['/v1/upgrade', { method: 'POST', handle: (response, asked) => this.#upgrade(response, asked) }],
      ['/v1/leave', { method: 'POST', handle: (response, asked) => this.#leave(response, asked) }],
      ['/v1/scale', { method: 'POST', handle: (response, asked) => this.#scale(response, asked) }],
    ]);
  }

  #makeServer(): http.Server {
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
    server.maxConnections = CONNECTION_LIMIT;
    server.on('connection', (socket) => {
      this.#asking.add(socket);
      socket.once('close', () => this.#asking.delete(socket));
    });
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

  /** For the program that takes the place of this one. */
  get passable(): PassedSocket | null {
    return this.#socket?.passable ?? null;
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
    const [path = '', query] = request.url?.split('?', 2) ?? [];
    const isOld = OLD_PATHS.has(path);
    const route = this.#routes.get(isOld ? VERSION + path : path);
    const body = await readBody(request);
    if (route === undefined) {
      const error = `cannot find ${path}: there is ${[...this.#routes.keys()].join(', ')}`;
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

  async #status(response: http.ServerResponse, query: URLSearchParams): Promise<void> {
    const isWatched = query.get('figures') === 'true';
    sendJson(response, 200, await (isWatched ? this.#watched.get() : this.#target.status()));
  }

  async #describe(response: http.ServerResponse, body: unknown): Promise<void> {
    const options = readDescribeOptions(body);
    if (options === null) {
      return refuse(response, 400, `cannot describe: the body ${DESCRIBE_BODY_ALLOWED}`, BODY_HINT);
    }
    try {
      sendJson(response, 200, await this.#target.describe(options));
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      refuse(response, 422, error.message, `which there are: holdfast status --name ${this.#name}`);
    }
  }

  #profile(response: http.ServerResponse, { body, format }: Asked): void | Promise<void> {
    const options = readProfileOptions(body);
    if (options === null) {
      return refuse(response, 400, `cannot profile: the body ${PROFILE_BODY_ALLOWED}`, BODY_HINT);
    }
    const gone = goneOf(response);
    return this.#perform(response, format, (on) => this.#target.profile(options, on, gone));
  }

  #upgrade(response: http.ServerResponse, { body, format }: Asked): void | Promise<void> {
    const options = readUpgradeOptions(body);
    if (options === null) return refuse(response, 400, `cannot upgrade: the body ${UPGRADE_BODY_ALLOWED}`, BODY_HINT);
    return this.#perform(response, format, (on) => this.#target.upgrade(on, options));
  }

  #leave(response: http.ServerResponse, { body, format }: Asked): void | Promise<void> {
    const options = readLeaveOptions(body);
    if (options === null) return refuse(response, 400, `cannot leave: the body ${LEAVE_BODY_ALLOWED}`, BODY_HINT);
    return this.#perform(response, format, (on) => this.#target.leave(on, options), options.dryRun !== true);
  }

  #inspect(response: http.ServerResponse, { body, format }: Asked): void | Promise<void> {
    const options = readInspectOptions(body);
    if (options === null) {
      return refuse(response, 400, 'cannot inspect: the body must be like {"of":3}', BODY_HINT);
    }
    const gone = goneOf(response);
    return this.#perform(response, format, (on) => this.#target.inspect(options, on, gone));
  }

  #reload(response: http.ServerResponse, { body, format }: Asked): void | Promise<void> {
    const options = readReloadOptions(body);
    if (options !== null) return this.#perform(response, format, (on) => this.#target.reload(on, options));
    return refuse(response, 400, `cannot reload: the body ${RELOAD_BODY_ALLOWED}`, BODY_HINT);
  }

  #scale(response: http.ServerResponse, { body, format }: Asked): void | Promise<void> {
    const change: unknown = typeof body === 'object' && body !== null && 'change' in body ? body.change : undefined;
    if (typeof change !== 'string' || !/^[+-]?\d{1,6}$/.test(change)) {
      const allowed = 'must be like {"change":"4"}, {"change":"+2"}, {"change":"-1"}';
      return refuse(response, 400, `cannot scale: the body ${allowed}`, BODY_HINT);
    }
    return this.#perform(response, format, (on) => this.#target.scale(change, on));
  }

  /** @param untilClosed the answer to a stop ends when the name is free again: who waits for it can start anew */
  async #perform(
    response: http.ServerResponse,
    format: AnswerFormat,
    run: (progress: Progress) => Promise<ControlResult>,
    untilClosed = false,
  ): Promise<void> {
    const stream = new ProgressStream(response, format);
    this.#hears(response);
    let concluded = false;
    const end = (result: ControlResult) => {
      this.#open.delete(endUnanswered);
      stream.end(concluded ? undefined : result);
      concluded = true;
    };
    const endUnanswered = () => end({ ok: false, message: 'failed', reason: 'the supervisor ended before' });
    this.#open.add(endUnanswered);
    const result = await settled(run, (line) => {
      if (!concluded) stream.progress(line);
    });
    if (!this.#open.has(endUnanswered)) return;
    if (!untilClosed || !result.ok) return end(result);
    stream.conclude(result);
    concluded = true;
    response.once('close', () => this.#open.delete(endUnanswered));
  }

  /** It is told things as they come, which another program does not go on with. */
  #hears({ socket }: http.ServerResponse): void {
    if (socket !== null) this.#asking.delete(socket);
  }

  #events(response: http.ServerResponse): void {
    this.#hears(response);
    if (this.#feeds >= FOLLOWER_LIMIT) {
      const error = `cannot follow the events: ${FOLLOWER_LIMIT} follow them already`;
      refuse(response, 503, error, 'end one of them');
      return;
    }
    this.#feeds += 1;
    const end = feedEvents(response, (onEvent) => this.#target.followEvents(onEvent));
    this.#open.add(end);
    response.once('close', () => {
      this.#feeds -= 1;
      this.#open.delete(end);
    });
  }

  #logs(response: http.ServerResponse, params: URLSearchParams): void {
    const query = readLogQuery(params);
    if (typeof query === 'string') {
      refuse(response, 400, `cannot read the logs: ${query}`, 'correct the query', 'BAD_QUERY');
      return;
    }
    // Who only looks back is done in a moment.
    if (query.follow && this.#followers >= FOLLOWER_LIMIT) {
      refuse(response, 503, `cannot follow the logs: ${FOLLOWER_LIMIT} follow them already`, 'end one of them');
      return;
    }
    if (query.follow) {
      this.#hears(response);
      this.#followers += 1;
      response.once('close', () => {
        this.#followers -= 1;
      });
    }
    const logs = sendLogs(response, { target: this.#target, name: this.#name, query, isAsked: params.has('lines') });
    if (logs === null) return;
    const end = () => {
      this.#open.delete(end);
      logs.end();
    };
    this.#open.add(end);
    response.once('close', end);
  }
}

/** Aborted when who has asked has gone. */
function goneOf(response: http.ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  return gone.signal;
}

async function settled(run: (progress: Progress) => Promise<ControlResult>, progress: Progress) {
  try {
    return await run(progress);
  } catch (error) {
    return { ok: false, message: 'failed', reason: reasonOf(error) } satisfies ControlResult;
  }
}
