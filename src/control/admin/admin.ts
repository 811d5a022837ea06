/**
 * The admin address: probes, status and metrics over plain HTTP, for Kubernetes, load balancers and Prometheus.
 *
 * Opened by the supervisor before its workers, and closed after them. It tells, and commands for who has the token. Nothing that a
 * client does may disturb the supervisor, or keep much of it busy.
 */
import type { AdminTarget, ProbeName } from '../../protocol/admin.js';
import type { ControlResult } from '../../protocol/control.js';
import type { PageCommand } from '../../protocol/page.js';
import { reasonOf } from '../lean-http.js';
import type { Access, Tokens } from './admin-access.js';
import { ANSWERS_A_SECOND, AnswerLimit } from './answer-limit.js';
import { isFromAnotherSite, isOwnName } from './host-names.js';
import { AdminPage, type PageSource } from './page.js';
import { type PlainAnswer, type PlainRequest, PlainServer } from './plain-http.js';
import { SharedAnswer } from './shared-answer.js';

/** The status is made no more often than this, however many ask; metrics see to that themselves. */
const FRESH_MS = 250;
const COMMANDS = ['reload', 'promote', 'abort', 'scale'] as const satisfies readonly PageCommand[];
/** So long is waited for what has become of a command; how it goes on is told by the stream. */
const COMMAND_MS = 3_000;
const PLAIN = 'text/plain; charset=utf-8';
/** Of a request: RFC 9111, section 5.2.1.4. */
const NO_CACHE = /(?:^|[,\s])no-cache(?:$|[,\s])/i;

export interface AdminServerOptions {
  /** null is every address of the machine. */
  readonly host: string | null;
  readonly port: number;
  /** By which it may be called, beside every address and localhost. */
  readonly names: readonly string[];
  readonly tokens: Tokens;
  readonly target: AdminTarget;
  readonly readPage: PageSource['read'];
  /** Listens there already: it was passed on by the program before an exec. */
  readonly fd?: number | undefined;
}

/** Who may go there: everybody, who may scrape, who may see how things are, who has the token, or who sends it. */
type Room = 'open' | 'metrics' | 'status' | 'command' | 'session';

type Limited = 'page' | 'feed' | 'status' | 'metrics';

interface Route {
  readonly room: Room;
  readonly method?: 'POST';
  readonly answer: (request: PlainRequest) => Promise<PlainAnswer>;
  /** Large answers are limited; what has the same limit goes by it together. */
  readonly limit?: Limited;
}

export class AdminServer {
  readonly #names: readonly string[];
  /** null where there is no token. */
  readonly #access: Access | null;
  /** Only processes of this machine can come. */
  readonly #isLocal: boolean;
  readonly #routes: ReadonlyMap<string, Route>;
  #server: PlainServer | undefined;
  readonly #page: AdminPage;
  /** Of large answers. Probes are small, and always answered. */
  readonly #limit = new AnswerLimit<Limited>();

  private constructor({ host, names, target, readPage }: AdminServerOptions, access: Access | null) {
    this.#names = host === null ? names : [...names, host];
    this.#access = access;
    this.#isLocal = host !== null && isLoopback(host);
    const status = new SharedAnswer(async () => asBytes(json(200, await target.status())), FRESH_MS);
    const metrics = async ({ headers, query }: PlainRequest) => {
      const { contentType, body } = await target.metrics({
        accept: headers.get('accept') ?? null,
        byWorker: new URLSearchParams(query).get('scope') === 'worker',
        noCache: NO_CACHE.test(headers.get('cache-control') ?? ''),
      });
      return { statusCode: 200, contentType, text: body };
    };
    const page = new AdminPage({ read: readPage, follow: (onEvent) => target.follow(onEvent) });
    this.#page = page;
    const file = (request: PlainRequest) => page.file(request);
    const feed = async (request: PlainRequest) => {
      const commands = access?.isAdmin(request) ? 'yes' : access?.hasAdmin ? 'token' : 'no';
      return page.feed(commands) ?? json(503, { error: `cannot open another page: ${AdminPage.limit} are open` });
    };
    const command =
      (name: PageCommand) =>
      ({ query }: PlainRequest) =>
        within(target.command(name, new URLSearchParams(query).get('size') ?? ''));
    this.#routes = new Map<string, Route>([
      ['/livez', { room: 'open', answer: async () => probe(target, 'livez') }],
      ['/readyz', { room: 'open', answer: async () => probe(target, 'readyz') }],
      ['/startupz', { room: 'open', answer: async () => probe(target, 'startupz') }],
      ['/status', { room: 'status', answer: () => status.get(), limit: 'status' }],
      ['/metrics', { room: 'metrics', answer: metrics, limit: 'metrics' }],
      ['/', { room: 'open', answer: file, limit: 'page' }],
      ['/page.js', { room: 'open', answer: file, limit: 'page' }],
      ['/page.css', { room: 'open', answer: file, limit: 'page' }],
      ['/feed', { room: 'status', answer: feed, limit: 'feed' }],
      ['/session', { room: 'session', method: 'POST', answer: async (request) => this.#openSession(request) }],
      // Without a token there is nobody who may.
      ...(access?.hasAdmin ? COMMANDS : []).map((name): [string, Route] => [
        `/${name}`,
        { room: 'command', method: 'POST', answer: command(name) },
      ]),
    ]);
  }

  /** @throws the system's error where it cannot listen there */
  static async open(options: AdminServerOptions): Promise<AdminServer> {
    const { host, port, tokens, fd } = options;
    const hasTokens = tokens.admin !== null || tokens.metrics !== null;
    const access = hasTokens ? new (await import('./admin-access.js')).Access(tokens, port) : null;
    const admin = new AdminServer(options, access);
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
    this.#page.close();
    await this.#server?.close();
  }

  /** Never rejects. */
  async #answer(request: PlainRequest): Promise<PlainAnswer> {
    const answer = await this.#find(request).catch((error: unknown) => json(500, { error: reasonOf(error) }));
    if (answer.statusCode !== 405) return answer;
    return { ...answer, headers: { allow: this.#routes.get(request.path)?.method ?? 'GET, HEAD' } };
  }

  async #find(request: PlainRequest): Promise<PlainAnswer> {
    const { method, path, host } = request;
    if (!isOwnName(host, this.#names)) {
      const error = `cannot answer to the name ${host}: call this address by its number, or put the name into adminNames`;
      return json(421, { error });
    }
    const route = this.#routes.get(path);
    if (route === undefined) {
      return json(404, { error: `cannot find ${path}: there is ${[...this.#routes.keys()].join(', ')}` });
    }
    const isMeant = route.method === undefined ? method === 'GET' || method === 'HEAD' : method === route.method;
    if (!isMeant) {
      const error = `cannot ${method} ${path}: ${route.method === undefined ? 'this only tells, and takes GET' : `it takes ${route.method}`}`;
      return json(405, { error });
    }
    const refused = this.#refuse(request, route.room);
    if (refused !== null) return refused;
    if (route.limit !== undefined && !this.#limit.mayAnswer(route.limit, performance.now())) {
      const error = `cannot answer ${path}: more than ${ANSWERS_A_SECOND} a second are asked for`;
      return { ...json(503, { error }), headers: { 'retry-after': '1' } };
    }
    return route.answer(request);
  }

  /** @returns null for who may go there */
  #refuse(request: PlainRequest, room: Room): PlainAnswer | null {
    if (room === 'open') return null;
    const { path, headers } = request;
    // A browser says where a page is from that asks; nobody else does.
    if (isFromAnotherSite(headers, request.host)) {
      return json(403, { error: `cannot answer ${path}: a page of another site asks for it` });
    }
    const access = this.#access;
    const may =
      // Who opens a session is looked at where it is opened.
      room === 'session' ||
      (room === 'metrics'
        ? (access?.mayScrape(request) ?? true)
        : (room === 'status' && this.#isLocal) || (access?.isAdmin(request) ?? false));
    if (may) return null;
    if (room === 'status' && !access?.hasAdmin) {
      const error = `cannot answer ${path} on an address that others can reach: set adminTokenFile, or have admin on loopback`;
      return json(403, { error });
    }
    const error = `cannot answer ${path}: it takes the token, in the header Authorization: Bearer ...`;
    return { ...json(401, { error }), headers: { 'www-authenticate': 'Bearer' } };
  }

  #openSession(request: PlainRequest): PlainAnswer {
    const cookie = this.#access?.openSession(request) ?? null;
    if (cookie === null) return json(401, { error: 'cannot open a session: this is not the token' });
    return { statusCode: 204, contentType: PLAIN, text: '', headers: { 'set-cookie': cookie } };
  }
}

async function within(asked: Promise<ControlResult>): Promise<PlainAnswer> {
  let timer: NodeJS.Timeout | undefined;
  const later = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, COMMAND_MS, null);
  });
  const result = await Promise.race([asked, later]).finally(() => clearTimeout(timer));
  if (result === null) return json(202, { message: 'under way' });
  const { ok, message, reason } = result;
  return json(ok ? 200 : 409, { message, reason });
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^(?:::ffff:)?127\./.test(host);
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
