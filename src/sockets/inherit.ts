/**
 * Sockets that the supervisor is started with, whatever they come from: socket units of systemd, and the store in which
 * systemd keeps those of custody over a restart. They come as file descriptors from 3 on, each with a name; see
 * sd_listen_fds(3).
 */
import type { AddressInfo } from 'node:net';
import { type Native, NativeError, type NativeLoad } from '../native/libc.js';
import type { AddressKey, AddressRequest } from '../protocol.js';
import { formatAddress, overlaps } from './address.js';
import type { BoundSocket } from './bind.js';
import { type TcpHandle, wrapFd } from './handle.js';

/** Whose a stored socket was. */
export interface Kept {
  readonly key: AddressKey;
  /** null: all slots shared it. */
  readonly slot: number | null;
  /** Which it is in its reuse-port group, as steering programs count; null where it is in none, or not steered. */
  readonly index: number | null;
}

export interface InheritedSocket extends BoundSocket {
  /** As systemd calls it. */
  readonly name: string;
  /** null for one that holdfast has not bound itself: it comes from a socket unit, which goes on to hold it. */
  readonly kept: Kept | null;
}

export interface Inherited {
  readonly sockets: readonly InheritedSocket[];
  /** What was passed and cannot be used, for people. */
  readonly refused: readonly { readonly name: string; readonly reason: string }[];
}

const FIRST_FD = 3;
const PREFIX = 'holdfast';
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;

/**
 * The name by which the store keeps a socket: `holdfast/0/2/%5B%3A%3A%5D%3A80` is slot 0, third in its group. Of the
 * characters that may not be in it (sd_pid_notify_with_fds(3)) addresses have the colon.
 */
export function nameOf({ key, slot, index }: Kept): string {
  return [PREFIX, slot ?? 'all', index ?? '-', encodeURIComponent(key)].join('/');
}

/** null for a name that is none of ours. */
export function parseName(name: string): Kept | null {
  const [, slot, index, key] = /^holdfast\/(\d{1,4}|all)\/(\d{1,4}|-)\/([^/]+)$/.exec(name) ?? [];
  if (slot === undefined || index === undefined || key === undefined) return null;
  try {
    const number = (text: string) => (/^\d/.test(text) ? Number(text) : null);
    return { key: decodeURIComponent(key), slot: number(slot), index: number(index) };
  } catch {
    return null;
  }
}

/** Takes over the file descriptors with these names, from 3 on. */
export function inherit(names: readonly string[], native: NativeLoad): Inherited {
  const sockets: InheritedSocket[] = [];
  const refused: { name: string; reason: string }[] = [];
  for (const [i, name] of names.entries()) {
    try {
      sockets.push({ ...takeOver(FIRST_FD + i, native), name, kept: parseName(name) });
    } catch (error) {
      refused.push({ name, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  return { sockets, refused };
}

/**
 * Which of them a request to listen gets: one for that very address; else one that takes in what was asked for, as
 * `[::]:80` does `0.0.0.0:80`; else one that has a part of it: whoever wrote the unit had a reason to.
 */
export function matchFor<T extends BoundSocket>(sockets: readonly T[], request: AddressRequest): T | undefined {
  if (request.port === 0) return undefined;
  const wanted = { host: request.host, port: request.port, ipv6Only: request.ipv6Only };
  const candidates = sockets.filter((socket) => overlaps(socket, wanted));
  const isSame = ({ host, family, ipv6Only }: T) =>
    request.host === null
      ? host === '::' || host === '0.0.0.0'
      : host === request.host && (family === 4 || ipv6Only === request.ipv6Only);
  const isAny = ({ host }: T) => host === '::' || host === '0.0.0.0';
  return candidates.find(isSame) ?? candidates.find(isAny) ?? candidates[0];
}

/**
 * Whether it is known of all that were kept which is which in its group: only then can they be steered. They have numbers
 * without a gap, after that of a socket unit where there is one.
 */
export function isOrderKnown(sockets: readonly InheritedSocket[]): boolean {
  const groups = new Map<string, InheritedSocket[]>();
  for (const socket of sockets) {
    const address = formatAddress(socket.host, socket.port);
    groups.set(address, [...(groups.get(address) ?? []), socket]);
  }
  return [...groups.values()].every((group) => {
    const kept = group.flatMap(({ kept: was }) => (was === null || was.slot === null ? [] : [was.index]));
    const first = group.some(({ kept: was }) => was === null) ? 1 : 0;
    return kept.sort((a, b) => (a ?? 0) - (b ?? 0)).every((index, i) => index === first + i);
  });
}

function takeOver(fd: number, native: NativeLoad): BoundSocket {
  let handle: TcpHandle;
  try {
    handle = wrapFd(fd);
  } catch (cause) {
    throw new Error(`file descriptor ${fd} is no TCP socket`, { cause });
  }
  const name: Partial<AddressInfo> = {};
  const isTcp = typeof handle.getsockname === 'function' && handle.getsockname(name) === 0;
  const { address: host, port, family } = name;
  if (!isTcp || host === undefined || port === undefined || port === 0) {
    handle.close();
    throw new Error(`file descriptor ${fd} is no TCP socket with an address`);
  }
  const is6 = family === 'IPv6' || String(family) === '6';
  return {
    handle,
    host,
    port,
    family: is6 ? 6 : 4,
    ipv6Only: is6 && native.ok && isIpv6Only(native.native, handle.fd),
  };
}

function isIpv6Only(native: Native, fd: number): boolean {
  try {
    return native.getSockOptInt(fd, IPPROTO_IPV6, IPV6_V6ONLY) !== 0;
  } catch (error) {
    if (error instanceof NativeError) return false;
    throw error;
  }
}
