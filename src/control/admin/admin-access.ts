/**
 * Whether a request has the token that it takes: in its header Authorization, or by the session that a browser was given for it.
 * Never in a URL, which is logged. Loaded only where there is a token.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { PlainRequest } from './plain-http.js';

const SESSION_S = 12 * 3600;
/** No script reads it, and it comes with no request that another site has made. */
const COOKIE = 'Path=/; HttpOnly; SameSite=Strict';

export interface Tokens {
  /** For all that is told. */
  readonly admin: string | null;
  /** For the metrics alone; null where they are for everybody. */
  readonly metrics: string | null;
}

export class Access {
  readonly #tokens: Tokens;
  readonly #cookie: string;
  readonly #now: () => number;

  /**
   * @param port of the address: the cookies of a host are those of all its ports
   * @param now in milliseconds since 1970
   */
  constructor(tokens: Tokens, port: number, now: () => number = Date.now) {
    this.#tokens = tokens;
    this.#cookie = `holdfast-${port}`;
    this.#now = now;
  }

  get hasAdmin(): boolean {
    return this.#tokens.admin !== null;
  }

  isAdmin(request: PlainRequest): boolean {
    const { admin } = this.#tokens;
    return admin !== null && (isSame(bearerOf(request), admin) || this.#hasSession(request, admin));
  }

  mayScrape(request: PlainRequest): boolean {
    const { metrics } = this.#tokens;
    return metrics === null || isSame(bearerOf(request), metrics) || this.isAdmin(request);
  }

  /** The cookie of a new session, for who has sent the token itself; null for everybody else. It outlives no change of the token. */
  openSession(request: PlainRequest): string | null {
    const { admin } = this.#tokens;
    if (admin === null || !isSame(bearerOf(request), admin)) return null;
    const until = String(Math.floor(this.#now() / 1000) + SESSION_S);
    return `${this.#cookie}=${until}.${signature(admin, until)}; Max-Age=${SESSION_S}; ${COOKIE}`;
  }

  #hasSession({ headers }: PlainRequest, admin: string): boolean {
    return (headers.get('cookie') ?? '').split(';').some((cookie) => {
      const [, name, until = '', mark = ''] = /^ *([^=]+)=(\d{1,12})\.([\w-]+) *$/.exec(cookie) ?? [];
      return name === this.#cookie && Number(until) * 1000 > this.#now() && isSame(mark, signature(admin, until));
    });
  }
}

function bearerOf({ headers }: PlainRequest): string {
  return /^Bearer +(\S+)$/i.exec(headers.get('authorization') ?? '')?.[1] ?? '';
}

function signature(token: string, until: string): string {
  return createHmac('sha256', token).update(`session until ${until}`).digest('base64url');
}

/** Takes as long whatever is given: of both the digests are compared, which are as long as each other. */
function isSame(given: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
