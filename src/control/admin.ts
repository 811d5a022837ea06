/**
 * The admin address: probes, status and metrics over plain HTTP, for Kubernetes, load balancers and Prometheus.
 *
 * Opened by the supervisor before its workers, and closed after them. It tells and never commands. Nothing that a
 * client does may disturb the supervisor, or keep much of it busy.
 */
import type { AdminTarget, ProbeName } from '../protocol.js';
import { isOwnName } from './host-names.js';
import { reasonOf } from './lean-http.js';
import { type PlainAnswer, type PlainRequest, PlainServer } from './plain-http.js';
import { SharedAnswer } from './shared-answer.js';

/** Status and metrics are made no more often than this, however many ask. */
const FRESH_MS = 250;
/** And given out no more often: a large answer costs time each time. Probes are small, and always answered. */
const ANSWERS_A_SECOND = 50;
const PLAIN = 'text/plain; charset=utf-8';

export interface AdminServerOptions {
  /** null is every address of the machine. */
  readonly host: string | null;
  readonly port: number;
  /** By which it may be called, beside every address and localhost. */
  readonly names: readonly string[];
  readonly target: AdminTarget;
  /** Listens there already: it was passed on by the program before an exec. */
  readonly fd?: number | undefined;
}

interface Route {
  readonly answer: () => Promise<PlainAnswer>;
  readonly isLarge: boolean;
}

export class AdminServer {
  readonly #names: readonly string[];
  readonly #routes: ReadonlyMap<string, Route>;
  #server: PlainServer | undefined;
  /** How many large answers may be given at this moment. */
  #left = ANSWERS_A_SECOND;
  #countedAt = performance.now();

  private constructor(target: AdminTarget, names: readonly string[]) {
    this.#names = names;
    const status = new SharedAnswer(async () => asBytes(json(200, await target.status())), FRESH_MS);
    const metrics = new SharedAnswer(async () => asBytes({ statusCode: 200, ...(await target.metrics()) }), FRESH_MS);
    this.#routes = new Map<string, Route>([
      ['/livez', { answer: async () => probe(target, 'livez'), isLarge: false }],
      ['/readyz', { answer: async () => probe(target, 'readyz'), isLarge: false }],
      ['/startupz', { answer: async () => probe(target, 'startupz'), isLarge: false }],
      ['/status', { answer: () => status.get(), isLarge: true }],
      ['/metrics', { answer: () => metrics.get(), isLarge: true }],
    ]);
  }

  /** @throws the system's error where it cannot listen there */
  static async open({ host, port, names, target, fd }: AdminServerOptions): Promise<AdminServer> {
    const own = host === null ? names : [...names, host];
    const admin = new AdminServer(target, own);
    const where = fd === undefined ? (host === null ? { port } : { host, port }) : { fd };
    admin.#server = await PlainServer.listen(where, (request) => admin.#answer(request));
    return admin;
  }

  get isAsked(): boolean {
    return this.#server?.isAsked ?? false;
  }

  /** For the program that takes the place of this one. */
  get fd(): number | null {
    return this.#server?.fd ?? null;
  }

  async close(): Promise<void> {
    await this.#server?.close();
  }

  /** Never rejects. */
  async #answer(request: PlainRequest): Promise<PlainAnswer> {
    const answer = await this.#find(request).catch((error: unknown) => json(500, { error: reasonOf(error) }));
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    return isRead ? answer : { ...answer, headers: { allow: 'GET, HEAD' } };
  }

  async #find({ method, path, host }: PlainRequest): Promise<PlainAnswer> {
    if (!isOwnName(host, this.#names)) {
      const error = `cannot answer to the name ${host}: call this address by its number, or put the name into adminNames`;
      return json(421, { error });
    }
    const route = this.#routes.get(path);
    if (route === undefined) {
      return json(404, { error: `cannot find ${path}: there is ${[...this.#routes.keys()].join(', ')}` });
    }
    if (method !== 'GET' && method !== 'HEAD') {
      return json(405, {
        error: `cannot ${method} ${path}: this address only tells; commands go by the control socket`,
      });
    }
    if (route.isLarge && !this.#mayAnswer(performance.now())) {
      const error = `cannot answer ${path}: more than ${ANSWERS_A_SECOND} a second are asked for`;
      return { ...json(503, { error }), headers: { 'retry-after': '1' } };
    }
    return route.answer();
  }

  #mayAnswer(now: number): boolean {
    this.#left = Math.min(ANSWERS_A_SECOND, this.#left + ((now - this.#countedAt) / 1000) * ANSWERS_A_SECOND);
    this.#countedAt = now;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}

function probe(target: AdminTarget, name: ProbeName): PlainAnswer {
  const { ok, reason } = target.probe(name);
  return { statusCode: ok ? 200 : 503, contentType: PLAIN, text: `${ok ? 'ok' : 'not ok'}: ${reason}\n` };
}

function asBytes(answer: PlainAnswer): PlainAnswer {
  return { ...answer, text: Buffer.from(answer.text) };
}

function json(statusCode: number, value: unknown): PlainAnswer {
  return { statusCode, contentType: 'application/json', text: `${JSON.stringify(value)}\n` };
}
