/**
 * The admin address: probes, status and metrics over plain HTTP, for Kubernetes, load balancers and Prometheus.
 *
 * Opened by the supervisor before its workers, and closed after them. It tells and never commands. Nothing that a
 * client does may disturb the supervisor, or keep much of it busy.
 */
import type http from 'node:http';
import type { AdminTarget, ProbeName } from '../protocol.js';
import { close, createServer, listen, reasonOf } from './lean-http.js';

/** The request of a probe has some hundred bytes. */
const HEADER_LIMIT_BYTES = 8 * 1024;
const CONNECTION_LIMIT = 64;
/** For a whole request, and how long a connection may be silent; a blocked worker delays the status by a second. */
const PATIENCE_MS = 10_000;
const PLAIN = 'text/plain; charset=utf-8';

interface Answer {
  readonly statusCode: number;
  readonly contentType: string;
  readonly text: string;
}

export interface AdminServerOptions {
  /** null is every address of the machine. */
  readonly host: string | null;
  readonly port: number;
  readonly target: AdminTarget;
}

export class AdminServer {
  readonly #http: http.Server;
  readonly #routes: ReadonlyMap<string, () => Promise<Answer>>;

  private constructor(target: AdminTarget) {
    this.#routes = new Map([
      ['/livez', async () => probe(target, 'livez')],
      ['/readyz', async () => probe(target, 'readyz')],
      ['/startupz', async () => probe(target, 'startupz')],
      ['/status', async () => json(200, await target.status())],
      ['/metrics', async () => ({ statusCode: 200, ...(await target.metrics()) })],
    ]);
    const limits = { maxHeaderSize: HEADER_LIMIT_BYTES, headersTimeout: PATIENCE_MS, requestTimeout: PATIENCE_MS };
    this.#http = createServer(limits, (request, response) => {
      // A client that has gone misses its answer, that is all.
      response.on('error', () => {});
      void this.#answer(request, response);
    });
    this.#http.maxConnections = CONNECTION_LIMIT;
    this.#http.timeout = PATIENCE_MS;
  }

  /** @throws the system's error where it cannot listen there */
  static async open({ host, port, target }: AdminServerOptions): Promise<AdminServer> {
    const server = new AdminServer(target);
    await listen(server.#http, host === null ? { port } : { host, port });
    return server;
  }

  close(): Promise<void> {
    return close(this.#http);
  }

  /** Never rejects. */
  async #answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    if (request.method !== 'GET' && request.method !== 'HEAD') response.setHeader('allow', 'GET, HEAD');
    const { statusCode, contentType, text } = await this.#find(request).catch((error: unknown) =>
      json(500, { error: reasonOf(error) }),
    );
    response.writeHead(statusCode, {
      'content-type': contentType,
      'content-length': Buffer.byteLength(text),
      'cache-control': 'no-store',
      // Each is an answer of the moment, and a kept connection one of the few that there are.
      connection: 'close',
    });
    response.end(text);
  }

  async #find({ method, url = '' }: http.IncomingMessage): Promise<Answer> {
    const [path = ''] = url.split('?');
    const route = this.#routes.get(path);
    if (route === undefined) {
      return json(404, { error: `cannot find ${path}: there is ${[...this.#routes.keys()].join(', ')}` });
    }
    if (method === 'GET' || method === 'HEAD') return route();
    return json(405, { error: `cannot ${method} ${path}: this address only tells; commands go by the control socket` });
  }
}

function probe(target: AdminTarget, name: ProbeName): Answer {
  const { ok, reason } = target.probe(name);
  return { statusCode: ok ? 200 : 503, contentType: PLAIN, text: `${ok ? 'ok' : 'not ok'}: ${reason}\n` };
}

function json(statusCode: number, value: unknown): Answer {
  return { statusCode, contentType: 'application/json', text: `${JSON.stringify(value)}\n` };
}
