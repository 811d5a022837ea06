/**
 * Binds what is no TCP, for custody: unix sockets, and sockets for datagrams. Must never leave a file descriptor open on failure.
 */
import { lstatSync, renameSync, unlinkSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import type { NativeLoad } from '../../native/libc.js';
import type { AddressKey, SharedRequest } from '../../protocol/worker.js';
import { wrapFd } from '../handles/handle.js';
import { newUdpHandle, UV_UDP_IPV6ONLY, UV_UDP_REUSEADDR } from '../handles/udp-handle.js';
import { BindError, EADDRINUSE } from './bind-error.js';
import { shortPath } from './short-path.js';
import { spareOf } from './socket-path.js';

/** Node's raw pipe or UDP handle, as far as it is used here. */
export interface SharedHandle {
  readonly fd: number;
  close(): void;
}

type UnixRequest = Extract<SharedRequest, { kind: 'unix' }>;
type UdpRequest = Extract<SharedRequest, { kind: 'udp' }>;

interface PipeHandle extends SharedHandle {
  /** @returns 0 or a negative errno */
  fchmod(mode: number): number;
}

/** `uv_poll_event` of libuv, which `uv_pipe_chmod` takes. */
const UV_READABLE = 1;
const UV_WRITABLE = 2;
const ENAMETOOLONG = -os.constants.errno.ENAMETOOLONG;
/** How long it is waited for who may listen at a path already. */
const ANSWER_MS = 1_000;

/** @throws BindError */
export function bindPath(key: AddressKey, { path, umask, readableAll, writableAll }: UnixRequest): SharedHandle {
  const short = shortPath(path);
  if (short === undefined) throw new BindError(key, ENAMETOOLONG);
  const seam = net as unknown as { _createServerHandle(path: string, port: -1, type: -1): PipeHandle | number };
  // The application may have set it just for this.
  const before = process.umask(umask);
  const handle = seam._createServerHandle(short.name, -1, -1);
  process.umask(before);
  if (typeof handle === 'number') {
    short.close();
    throw new BindError(key, handle);
  }
  const { close } = handle;
  // libuv removes the name, which must be good until then.
  handle.close = () => {
    handle.close = close;
    handle.close();
    short.close();
  };
  const mode = (readableAll ? UV_READABLE : 0) | (writableAll ? UV_WRITABLE : 0);
  if (mode !== 0) handle.fchmod(mode);
  return handle;
}

/**
 * The same socket by a handle that leaves its name alone when it is closed: libuv removes that of one that it has bound. To be
 * called before anybody knows the name.
 */
export function withoutName(path: string, bound: SharedHandle, owner: string, native: NativeLoad): SharedHandle {
  if (!native.ok || path.startsWith('\0')) return bound;
  const fd = native.native.duplicate(bound.fd);
  let handle: SharedHandle;
  try {
    handle = wrapFd(fd);
  } catch (cause) {
    native.native.close(fd);
    throw cause;
  }
  const aside = spareOf(path, owner);
  let moved = false;
  try {
    renameSync(path, aside);
    moved = true;
  } catch {
    // Somebody has removed it already.
  }
  bound.close();
  if (moved) renameSync(aside, path);
  return handle;
}

/** @param inWay what to say where it is taken @throws BindError */
export function bindUdp(
  key: AddressKey,
  request: UdpRequest,
  inWay: { readonly reason?: string; readonly hint?: string } = {},
): SharedHandle {
  const { host, port, family, ipv6Only, reuseAddr } = request;
  const handle = newUdpHandle();
  const flags = (ipv6Only ? UV_UDP_IPV6ONLY : 0) | (reuseAddr ? UV_UDP_REUSEADDR : 0);
  const errno = family === 6 ? handle.bind6(host, port, flags) : handle.bind(host, port, flags);
  if (errno !== 0) {
    handle.close();
    throw new BindError(key, errno, errno === EADDRINUSE ? inWay : {});
  }
  return handle;
}

/**
 * A name that is left of a socket at which nobody listens any more is removed: whoever was killed could not do it. Anything else
 * is left alone, and found to be in the way when it is bound.
 *
 * @throws BindError where somebody listens there
 */
export async function removeDead(path: string): Promise<void> {
  if (path.startsWith('\0') || !isSocket(path)) return;
  const short = shortPath(path);
  if (short === undefined) return;
  const code = await new Promise<string | null>((resolve) => {
    const client = net.connect(short.name);
    const settle = (answer: string | null) => {
      client.destroy();
      resolve(answer);
    };
    client.setTimeout(ANSWER_MS, () => settle(null));
    client.once('connect', () => settle(null));
    client.once('error', (error: NodeJS.ErrnoException) => settle(error.code ?? null));
  });
  short.close();
  if (code === null) throw new BindError(`unix:${path}`, EADDRINUSE, { reason: 'EADDRINUSE, somebody listens there' });
  if (code !== 'ECONNREFUSED') return;
  try {
    unlinkSync(path);
  } catch {
    // It is in the way.
  }
}

function isSocket(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
  } catch {
    // What is wrong with its folder is wrong for who binds there as well.
    return false;
  }
}
