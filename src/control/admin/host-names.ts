/**
 * By which names a server may be called. A page in a browser can have its own name lead to any address, this machine's
 * included, and would then read what is answered: it is given away by the name, which the browser sends. Pure.
 */
import { isIP } from 'node:net';

/**
 * @param host of the request, with or without a port; null where there was none, which no browser sends
 * @param names those of the configuration, without a port
 */
export function isOwnName(host: string | null, names: readonly string[]): boolean {
  if (host === null) return true;
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d{0,5})?$/.exec(host) ?? [];
  if (bracketed !== undefined) return isIP(bracketed) === 6;
  if (plain === undefined || plain === '') return false;
  const name = plain.toLowerCase().replace(/\.$/, '');
  return isIP(name) === 4 || name === 'localhost' || names.some((own) => own.toLowerCase() === name);
}

const FRAMES: ReadonlySet<string> = new Set(['iframe', 'frame', 'fencedframe', 'embed', 'object']);

/**
 * Whether a page of another site asks, as far as the browser says so: by the origin of the page, or by how far it is from here
 * (https://www.w3.org/TR/fetch-metadata/). A user who types the address or follows a link is no page.
 *
 * @param host of the request, as above
 */
export function isFromAnotherSite(headers: ReadonlyMap<string, string>, host: string | null): boolean {
  const origin = headers.get('origin');
  // Before this there may be who speaks TLS.
  if (origin !== undefined && origin.replace(/^https?:\/\//i, '').toLowerCase() !== host?.toLowerCase()) return true;
  const site = headers.get('sec-fetch-site') ?? 'none';
  if (site === 'none' || site === 'same-origin') return false;
  // In a frame it would be the other page that asks, and that can have many: each holds a stream open.
  return headers.get('sec-fetch-mode') !== 'navigate' || FRAMES.has(headers.get('sec-fetch-dest') ?? '');
}
