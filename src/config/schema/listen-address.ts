/** Where the supervisor itself listens, or a program on its sockets: `127.0.0.1:9100`, `[::1]:9100`, `:9100`, `9100`. Pure. */
import { isIPv4, isIPv6 } from 'node:net';

export interface ListenAddress {
  /** An IP address or a host name; null is every address of the machine. */
  readonly host: string | null;
  readonly port: number;
}

/** What can be told by a pattern, for the JSON Schema; `parseListenAddress` knows the rest. */
export const LISTEN_ADDRESS_PATTERN = /^(?:(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]*):)?[1-9]\d{0,4}$/;

/** A bare port is one of 127.0.0.1. @returns null for what is no such address */
export function parseListenAddress(text: string): ListenAddress | null {
  if (!LISTEN_ADDRESS_PATTERN.test(text)) return null;
  const colon = text.lastIndexOf(':');
  const port = Number(text.slice(colon + 1));
  if (port > 65_535) return null;
  if (colon < 0) return { host: '127.0.0.1', port };
  const host = text.slice(0, colon);
  if (host === '') return { host: null, port };
  if (host.startsWith('[')) {
    const inner = host.slice(1, -1);
    return isIPv6(inner) ? { host: inner, port } : null;
  }
  // Digits and dots alone are a number for the resolver, which makes an address of any.
  const isName = /^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(host) && /[A-Za-z]/.test(host);
  return isIPv4(host) || isName ? { host, port } : null;
}

/** An address of a program, with the name by which it is told the socket. */
export interface ListenTarget extends ListenAddress {
  readonly name: string;
}

/** Names are told in one variable, with colons between them: sd_listen_fds(3). */
export const LISTEN_TARGET_PATTERN = new RegExp(
  `^(?:[A-Za-z0-9][A-Za-z0-9_.-]{0,63}=)?${LISTEN_ADDRESS_PATTERN.source.slice(1)}`,
);

/** `http=0.0.0.0:80`; one without a name is called after its port. @returns null for what is no such address */
export function parseListenTarget(text: string): ListenTarget | null {
  if (!LISTEN_TARGET_PATTERN.test(text)) return null;
  const [, name, address = ''] = /^(?:([^=]+)=)?(.*)$/.exec(text) ?? [];
  const parsed = parseListenAddress(address);
  return parsed === null ? null : { name: name ?? String(parsed.port), ...parsed };
}
