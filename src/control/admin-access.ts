/**
 * Whether a request has the token that it takes: in its header Authorization, never in a URL, which is logged. Loaded only where
 * there is a token.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { PlainRequest } from './plain-http.js';

export interface Tokens {
  /** For all that is told. */
  readonly admin: string | null;
  /** For the metrics alone; null where they are for everybody. */
  readonly metrics: string | null;
}

export class Access {
  readonly #tokens: Tokens;

  constructor(tokens: Tokens) {
    this.#tokens = tokens;
  }

  get hasAdmin(): boolean {
    return this.#tokens.admin !== null;
  }

  isAdmin(request: PlainRequest): boolean {
    const { admin } = this.#tokens;
    return admin !== null && isSame(bearerOf(request), admin);
  }

  mayScrape(request: PlainRequest): boolean {
    const { metrics } = this.#tokens;
    return metrics === null || isSame(bearerOf(request), metrics) || this.isAdmin(request);
  }
}

function bearerOf({ headers }: PlainRequest): string {
  return /^Bearer +(\S+)$/i.exec(headers.get('authorization') ?? '')?.[1] ?? '';
}

/** Takes as long whatever is given: of both the digests are compared, which are as long as each other. */
function isSame(given: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
