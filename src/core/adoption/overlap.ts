/** Which addresses get in each other's way, and which of them takes in the other. Pure. */
import type { AddressKey } from '../../protocol/worker.js';

export interface Endpoint {
  /** null is any address, of IPv6 and IPv4. */
  readonly host: string | null;
  readonly port: number;
  readonly ipv6Only: boolean;
}

/** What a key stands for; null where that is no port that is known, as with a port of 0. */
export function endpointOf(key: AddressKey): Endpoint | null {
  const [, inBrackets, bare, port, v6only] = /^(?:\[([\da-f:.%\w]+)\]|(\*|[\d.]+)):(\d+)(,v6only)?$/.exec(key) ?? [];
  if (port === undefined || Number(port) === 0) return null;
  const host = inBrackets ?? bare ?? '*';
  return { host: host === '*' ? null : host, port: Number(port), ipv6Only: v6only !== undefined };
}

/** Whether some connection could go to either: what bind(2) calls a conflict when neither sets SO_REUSEPORT. */
export function overlaps(one: Endpoint, other: Endpoint): boolean {
  if (one.port !== other.port) return false;
  return one.host === other.host || isSame(one, other) || covers(one, other) || covers(other, one);
}

/** Whether they are one address under two names: `*` is `::`. */
export function isSame(one: Endpoint, other: Endpoint): boolean {
  const hosts = one.host === other.host || (isAny(one) && isAny(other));
  return hosts && one.port === other.port && one.ipv6Only === other.ipv6Only;
}

/**
 * Whether all that comes to `narrow` would come to `wide` if that were alone. Where both are there the kernel gives it to
 * the narrower one.
 */
export function covers(wide: Endpoint, narrow: Endpoint): boolean {
  if (wide.port !== narrow.port) return false;
  if (isAny(wide)) return isAny(narrow) ? narrow.ipv6Only && !wide.ipv6Only : !wide.ipv6Only || !isIpv4(narrow);
  return wide.host === '0.0.0.0' && isIpv4(narrow) && narrow.host !== '0.0.0.0';
}

export function coversKey(wide: AddressKey, narrow: AddressKey): boolean {
  const one = endpointOf(wide);
  const other = endpointOf(narrow);
  return one !== null && other !== null && covers(one, other);
}

export function overlapsKey(one: AddressKey, other: AddressKey): boolean {
  const here = endpointOf(one);
  const there = endpointOf(other);
  return here !== null && there !== null && overlaps(here, there);
}

function isAny({ host }: Endpoint): boolean {
  return host === null || host === '::';
}

function isIpv4({ host }: Endpoint): boolean {
  return host !== null && !host.includes(':');
}
