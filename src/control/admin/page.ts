/**
 * The page of the admin address, and what it hears. Its files hold nothing that is not in the package, so everybody may have
 * them: what they show takes the token.
 */
import type { PageEvent, PageEvents } from '../../protocol/page.js';
import { EVENT_STREAM, HEARTBEAT, HEARTBEAT_MS } from '../server-sent-events.js';
import type { PlainAnswer, PlainRequest, Sink } from './plain-http.js';

/** A file of a page, as it is built into the package. */
export interface PageFile {
  readonly name: string;
  readonly contentType: string;
}

const FILES: ReadonlyMap<string, PageFile> = new Map([
  ['/', { name: 'index.html', contentType: 'text/html; charset=utf-8' }],
  ['/page.js', { name: 'page.js', contentType: 'text/javascript; charset=utf-8' }],
  ['/page.css', { name: 'page.css', contentType: 'text/css; charset=utf-8' }],
]);
const STREAM_LIMIT = 16;
/** No script and no style but its own files, nothing from elsewhere, and in nobody's frame. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');
const HEADERS = {
  'content-security-policy': POLICY,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  vary: 'accept-encoding',
};

export interface PageSource {
  /** A file of the page, as brotli. @throws where it is not there */
  readonly read: (name: string) => Promise<Buffer>;
  readonly follow: (onEvent: (event: PageEvent) => void) => () => void;
}

/** @param read gives a file as brotli */
export async function pageFile(
  { name, contentType }: PageFile,
  read: PageSource['read'],
  { headers }: PlainRequest,
): Promise<PlainAnswer> {
  const packed = await read(name);
  // A browser asks for brotli only where nobody between can see what comes.
  const isTaken = /\bbr\b(?!;\s*q=0(?:\.0*)?(?:[,\s]|$))/.test(headers.get('accept-encoding') ?? '');
  const text = isTaken ? packed : (await import('node:zlib')).brotliDecompressSync(packed);
  return { statusCode: 200, contentType, text, headers: { ...HEADERS, ...(isTaken && { 'content-encoding': 'br' }) } };
}

export class AdminPage {
  readonly #source: PageSource;
  readonly #streams = new Set<Sink>();
  static readonly paths: readonly string[] = [...FILES.keys()];
  static readonly limit = STREAM_LIMIT;
  /** The names that its files have for `PageSource.read`. */
  static readonly names: readonly string[] = [...FILES.values()].map(({ name }) => name);

  constructor(source: PageSource) {
    this.#source = source;
  }

  /** Of a path that is one of its own. */
  async file(request: PlainRequest): Promise<PlainAnswer> {
    const file = FILES.get(request.path);
    if (file === undefined) throw new Error(`there is no ${request.path}`);
    return pageFile(file, this.#source.read, request);
  }

  /** @returns null where there are as many as may be */
  feed(commands: PageEvents['access']['commands']): PlainAnswer | null {
    if (this.#streams.size >= STREAM_LIMIT) return null;
    const text = eventOf({ event: 'access', data: { commands } });
    return { statusCode: 200, contentType: EVENT_STREAM, text, headers: HEADERS, stream: (sink) => this.#stream(sink) };
  }

  /** Who looks is told that it is over, and need not take it for a connection that was lost. */
  close(): void {
    for (const sink of this.#streams) {
      sink.write(eventOf({ event: 'ended', data: { at: Date.now() / 1000 } }));
      sink.end();
    }
  }

  #stream(sink: Sink): () => void {
    this.#streams.add(sink);
    const unfollow = this.#source.follow((event) => sink.write(eventOf(event)));
    const heartbeat = setInterval(() => sink.write(HEARTBEAT), HEARTBEAT_MS);
    return () => {
      clearInterval(heartbeat);
      unfollow();
      this.#streams.delete(sink);
    };
  }
}

function eventOf({ event, data }: PageEvent): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
