/**
 * The address of `holdfast dashboard`: a page over all supervisors of a runtime folder, and the list that it shows. On loopback
 * alone, and it only tells: there is nothing here by which anything is done.
 */
import type { DashboardList } from '../../protocol/page.js';
import { reasonOf } from '../lean-http.js';
import { isFromAnotherSite, isOwnName } from './host-names.js';
import { type PageFile, pageFile } from './page.js';
import { type PlainAnswer, type PlainRequest, PlainServer } from './plain-http.js';
import { SharedAnswer } from './shared-answer.js';

const HOST = '127.0.0.1';
/** However many look, supervisors are asked no more often. */
const FRESH_MS = 1_000;
const LIST = '/list';

const FILES: ReadonlyMap<string, PageFile> = new Map([
  ['/', { name: 'dashboard.html', contentType: 'text/html; charset=utf-8' }],
  ['/dashboard.js', { name: 'dashboard.js', contentType: 'text/javascript; charset=utf-8' }],
  ['/page.css', { name: 'page.css', contentType: 'text/css; charset=utf-8' }],
]);

export interface DashboardOptions {
  readonly port: number;
  readonly list: () => Promise<DashboardList>;
  /** A file of the page, as brotli. @throws where it is not there */
  readonly readPage: (name: string) => Promise<Buffer>;
}

export class DashboardServer {
  readonly #server: PlainServer;

  private constructor(server: PlainServer) {
    this.#server = server;
  }

  /** @throws the system's error where it cannot listen there */
  static async open({ port, list, readPage }: DashboardOptions): Promise<DashboardServer> {
    const shared = new SharedAnswer(list, FRESH_MS);
    const server = await PlainServer.listen({ host: HOST, port }, (request) =>
      answer(request, readPage, () => shared.get()).catch((error: unknown) => json(500, { error: reasonOf(error) })),
    );
    return new DashboardServer(server);
  }

  /** Where a browser finds it. */
  get url(): string {
    return `http://${HOST}:${this.#server.port}/`;
  }

  close(): Promise<void> {
    return this.#server.close();
  }
}

async function answer(
  request: PlainRequest,
  readPage: DashboardOptions['readPage'],
  list: DashboardOptions['list'],
): Promise<PlainAnswer> {
  const { method, path, host, headers } = request;
  if (!isOwnName(host, [])) return json(421, { error: `cannot answer to the name ${host}: call it by its number` });
  const file = FILES.get(path);
  if (file === undefined && path !== LIST) {
    return json(404, { error: `cannot find ${path}: there is ${[...FILES.keys(), LIST].join(', ')}` });
  }
  if (method !== 'GET' && method !== 'HEAD') {
    const error = `cannot ${method} ${path}: this address only tells`;
    return { ...json(405, { error }), headers: { allow: 'GET, HEAD' } };
  }
  if (file !== undefined) return pageFile(file, readPage, request);
  if (isFromAnotherSite(headers, host)) {
    return json(403, { error: `cannot answer ${path}: a page of another site asks for it` });
  }
  return json(200, await list());
}

function json(statusCode: number, value: unknown): PlainAnswer {
  return { statusCode, contentType: 'application/json', text: `${JSON.stringify(value)}\n` };
}
