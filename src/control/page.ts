/**
 * The page of the admin address, and what it hears. Its files are read when somebody opens it; they hold nothing that is not in
 * the package, so everybody may have them: what they show takes the token.
 */
import type { PageEvent, PageEvents } from '../protocol.js';
import type { PlainAnswer, PlainRequest, Sink } from './plain-http.js';
import { EVENT_STREAM, HEARTBEAT, HEARTBEAT_MS } from './server-sent-events.js';

const FILES: ReadonlyMap<string, readonly [name: string, contentType: string]> = new Map([
  ['/', ['index.html', 'text/html; charset=utf-8']],
  ['/page.js', ['page.js', 'text/javascript; charset=utf-8']],
  ['/page.css', ['page.css', 'text/css; charset=utf-8']],
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

export class AdminPage {
  readonly #source: PageSource;
  readonly #streams = new Set<Sink>();
  static readonly paths: readonly string[] = [...FILES.keys()];

  constructor(source: PageSource) {
    this.#source = source;
  }

  async file({ path, headers }: PlainRequest): Promise<PlainAnswer> {
    const [name = '', contentType = ''] = FILES.get(path) ?? [];
    const packed = await this.#source.read(name);
    // A browser asks for brotli only where nobody between can see what comes.
    const isTaken = /\bbr\b(?!;\s*q=0(?:\.0*)?(?:[,\s]|$))/.test(headers.get('accept-encoding') ?? '');
    const text = isTaken ? packed : (await import('node:zlib')).brotliDecompressSync(packed);
    return {
      statusCode: 200,
      contentType,
      text,
      headers: { ...HEADERS, ...(isTaken && { 'content-encoding': 'br' }) },
    };
  }

  /** @returns null where there are as many as may be */
  feed(commands: PageEvents['access']['commands']): PlainAnswer | null {
    if (this.#streams.size >= STREAM_LIMIT) return null;
    const text = eventOf({ event: 'access', data: { commands } });
    return { statusCode: 200, contentType: EVENT_STREAM, text, headers: HEADERS, stream: (sink) => this.#stream(sink) };
  }

  close(): void {
    for (const sink of this.#streams) sink.end();
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
