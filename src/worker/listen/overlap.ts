/** Whether two addresses of one process get in each other's way, as bind(2) would say if neither set SO_REUSEPORT. */

export interface Endpoint {
  /** null is any address, of IPv6 and IPv4. */
  readonly host: string | null;
  readonly port: number;
  readonly ipv6Only: boolean;
}

export function overlaps(one: Endpoint, other: Endpoint): boolean {
  if (one.port !== other.port) return false;
  return one.host === other.host || covers(one, other.host) || covers(other, one.host);
}

function covers(any: Endpoint, host: string | null): boolean {
  const isIpv4 = host !== null && !host.includes(':');
  if (any.host === null || any.host === '::') return !any.ipv6Only || !isIpv4;
  return any.host === '0.0.0.0' && isIpv4;
}
