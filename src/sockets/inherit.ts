/**
 * Sockets that the supervisor is started with, whatever they come from: socket units of systemd, and the store in which
 * systemd keeps those of custody over a restart. They come as file descriptors from 3 on, each with a name; see
 * sd_listen_fds(3).
 */
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { type Native, NativeError, type NativeLoad } from '../native/libc.js';
import type { AddressKey, AddressRequest, SharedRequest } from '../protocol/worker.js';
import { formatAddress, overlaps } from './address/address.js';
import type { BoundSocket } from './bind/bind.js';
import type { SharedHandle } from './bind/shared-bind.js';
import { type TcpHandle, wrapFd } from './handles/handle.js';
import { newUdpHandle } from './handles/udp-handle.js';

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

/** A unix socket, or one for datagrams. */
export interface InheritedShared {
  readonly kind: SharedRequest['kind'];
  readonly handle: SharedHandle;
  /** A path, or an IP address. */
  readonly host: string;
  /** 0 for a unix socket. */
  readonly port: number;
  readonly family: 4 | 6;
  readonly ipv6Only: boolean;
  readonly name: string;
  readonly kept: Kept | null;
}

export interface Inherited {
  readonly sockets: readonly InheritedSocket[];
  readonly shared: readonly InheritedShared[];
  /** What was passed and cannot be used, for people. */
  readonly refused: readonly { readonly name: string; readonly reason: string }[];
}

const FIRST_FD = 3;
const PREFIX = 'holdfast';
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
/** What systemd lets a name have; see sd_pid_notify_with_fds(3). */
const NAME_LIMIT = 255;
/** Of what is too long for a name. */
const HEAD = 160;

/**
 * The name by which the store keeps a socket: `holdfast/0/2/%5B%3A%3A%5D%3A80` is slot 0, third in its group. Of the
 * characters that may not be in it (sd_pid_notify_with_fds(3)) addresses have the colon. The path of a unix socket may be too
 * long: then it is cut, and a digest tells it from others. The socket itself knows it.
 */
export function nameOf({ key, slot, index }: Kept): string {
  const begin = [PREFIX, slot ?? 'all', index ?? '-', ''].join('/');
  const name = `${begin}${encodeURIComponent(key)}`;
  if (name.length <= NAME_LIMIT) return name;
  const cut = encodeURIComponent(key)
    .slice(0, HEAD)
    .replace(/%[^%]?$/, '');
  // For few names: loading it would cost every start more time, and megabytes, than the rest of this file.
  const { createHash } = createRequire(import.meta.url)('node:crypto') as typeof import('node:crypto');
  return `${begin}${cut}~${createHash('sha256').update(key).digest('hex')}`;
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

/** A descriptor and its name. */
export interface Passed {
  readonly fd: number;
  readonly name: string;
}

/** As systemd passes them: from 3 on. */
export function fromThree(names: readonly string[]): Passed[] {
  return names.map((name, i) => ({ fd: FIRST_FD + i, name }));
}

/** Takes over file descriptors by their names. */
export function inherit(passed: readonly Passed[], native: NativeLoad): Inherited {
  const sockets: InheritedSocket[] = [];
  const shared: InheritedShared[] = [];
  const refused: { name: string; reason: string }[] = [];
  for (const { fd, name } of passed) {
    try {
      const about = { name, kept: parseName(name) };
      const taken = takeOver(fd, native);
      if ('socket' in taken) sockets.push({ ...taken.socket, ...about });
      else shared.push({ ...taken.shared, ...about });
    } catch (error) {
      refused.push({ name, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  return { sockets, shared, refused };
}

type Place = Pick<BoundSocket, 'host' | 'port' | 'family' | 'ipv6Only'>;

/**
 * Which of them a request to listen gets: one for that very address; else one that takes in what was asked for, as
 * `[::]:80` does `0.0.0.0:80`; else one that has a part of it: whoever wrote the unit had a reason to.
 */
export function matchFor<T extends Place>(
  sockets: readonly T[],
  request: Pick<AddressRequest, 'host' | 'port' | 'ipv6Only'>,
): T | undefined {
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
 * The same for what is no TCP. A socket for datagrams must be of the family of what was asked for: an application that speaks IPv4
 * can do nothing with the addresses that one of IPv6 gives it.
 *
 * @param isSameFile whether two paths lead to one file
 */
export function matchShared<T extends Omit<InheritedShared, 'handle'>>(
  sockets: readonly T[],
  request: SharedRequest,
  isSameFile: (one: string, other: string) => boolean,
): T | undefined {
  const ofKind = sockets.filter(({ kind }) => kind === request.kind);
  if (request.kind === 'udp')
    return matchFor(
      ofKind.filter(({ family }) => family === request.family),
      request,
    );
  const { path } = request;
  const isFile = ({ host }: T) => !host.startsWith('\0') && !path.startsWith('\0') && isSameFile(host, path);
  return ofKind.find(({ host }) => host === path) ?? ofKind.find(isFile);
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

type Shared = Omit<InheritedShared, 'name' | 'kept'>;
type Taken = { readonly socket: BoundSocket } | { readonly shared: Shared };

function takeOver(fd: number, native: NativeLoad): Taken {
  let handle: TcpHandle;
  try {
    handle = wrapFd(fd);
  } catch (cause) {
    return { shared: takeOverUdp(fd, native, cause) };
  }
  const unix = native.ok ? native.native.unixSocket(fd) : null;
  if (unix !== null && unix.path !== '') {
    return { shared: { kind: 'unix', handle, host: unix.path, port: 0, family: 4, ipv6Only: false } };
  }
  const place = typeof handle.getsockname === 'function' ? placeOf(handle, native) : null;
  if (place !== null) return { socket: { handle, ...place } };
  handle.close();
  const unread = native.ok ? '' : `, as far as can be told: ${native.reason}`;
  throw new Error(`file descriptor ${fd} is not a socket with an address${unread}`);
}

function takeOverUdp(fd: number, native: NativeLoad, cause: unknown): Shared {
  const handle = newUdpHandle();
  const place = handle.open(fd) === 0 ? placeOf(handle, native) : null;
  if (place !== null) return { kind: 'udp', handle, ...place };
  handle.close();
  throw new Error(`file descriptor ${fd} is not a TCP, UDP or unix stream socket`, { cause });
}

/** null where it is bound to no port. */
export function placeOf(handle: Pick<TcpHandle, 'fd' | 'getsockname'>, native: NativeLoad): Place | null {
  const name: Partial<AddressInfo> = {};
  if (handle.getsockname(name) !== 0) return null;
  const { address: host, port, family } = name;
  if (host === undefined || port === undefined || port === 0) return null;
  const is6 = family === 'IPv6' || String(family) === '6';
  return { host, port, family: is6 ? 6 : 4, ipv6Only: is6 && native.ok && isIpv6Only(native.native, handle.fd) };
}

function isIpv6Only(native: Native, fd: number): boolean {
  try {
    return native.getSockOptInt(fd, IPPROTO_IPV6, IPV6_V6ONLY) !== 0;
  } catch (error) {
    if (error instanceof NativeError) return false;
    throw error;
  }
}
