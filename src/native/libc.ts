/**
 * Calls to libc, through koffi, behind a few typed functions. The only importer of koffi, which is optional: whoever
 * needs a call takes the result of `loadNative` as an argument and has to say what it does without.
 *
 * Must never keep or close a file descriptor that it has handed out.
 */
import { createRequire } from 'node:module';
import { getSystemErrorName } from 'node:util';
import { HoldfastError } from '../errors.js';
import { F_SETFD, F_SETFL, FD_CLOEXEC, type SocketConstants, socketConstants } from './constants.js';

/** The accept queue of a listening socket, in connections. */
export interface ListenQueue {
  readonly length: number;
  /** What listen(2) was given, cut by the system's own limit. */
  readonly limit: number;
}

export interface Native {
  readonly constants: SocketConstants;
  /**
   * A TCP socket that is not yet bound: close-on-exec, non-blocking, SO_REUSEADDR set, SO_REUSEPORT on demand.
   * The caller owns it.
   *
   * @throws NativeError; nothing is left open then
   */
  openTcpSocket(family: 4 | 6, options: { readonly reusePort: boolean }): number;
  /** An option that is an int; see getsockopt(2). @throws NativeError */
  getSockOptInt(fd: number, level: number, name: number): number;
  /** null where the socket does not listen, or the system does not tell. */
  tcpListenQueue(fd: number): ListenQueue | null;
  /** @throws NativeError */
  close(fd: number): void;
}

export type NativeLoad =
  | { readonly ok: true; readonly native: Native }
  | { readonly ok: false; readonly reason: string };

/** A call to libc that failed. `code` is the errno's name, `errno` its negative number, as Node counts them. */
export class NativeError extends HoldfastError {
  readonly errno: number;
  readonly syscall: string;

  constructor(task: string, syscall: string, errno: number) {
    const code = getSystemErrorName(errno);
    super(code, `cannot ${task}: ${syscall} failed with ${code}`);
    this.name = 'NativeError';
    this.errno = errno;
    this.syscall = syscall;
  }
}

/** `tcpi_state` of a listening socket (Linux `include/net/tcp_states.h`). */
const TCP_LISTEN = 10;
/** Of `struct tcp_info`, in 32-bit words: for a listening socket the kernel puts the queue into these two. */
const TCPI_UNACKED = 24 / 4;
const TCPI_SACKED = 28 / 4;
const TCP_INFO_WORDS = 26;

let loaded: NativeLoad | undefined;

/** Loads koffi at the first call; later calls have the same answer. Never throws. */
export function loadNative(): NativeLoad {
  loaded ??= load(socketConstants(process.platform, process.arch), 'koffi');
  return loaded;
}

/** `loadNative` without its memory, for a system and a package of the caller's choice. */
export function load(constants: SocketConstants | undefined, packageName: string): NativeLoad {
  if (constants === undefined) {
    return { ok: false, reason: `the socket options of ${process.platform} on ${process.arch} are not known` };
  }
  try {
    const koffi = createRequire(import.meta.url)(packageName) as typeof import('koffi');
    return { ok: true, native: openLibc(koffi, constants) };
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : String(error);
    return { ok: false, reason: `${packageName} cannot be loaded: ${reason}` };
  }
}

function openLibc(koffi: typeof import('koffi'), constants: SocketConstants): Native {
  const libc = koffi.load(null);
  const socket = libc.func('int socket(int domain, int type, int protocol)');
  const setsockopt = libc.func('int setsockopt(int fd, int level, int name, const void *value, uint32_t length)');
  const getsockopt = libc.func('int getsockopt(int fd, int level, int name, void *value, void *length)');
  const fcntl = libc.func('int fcntl(int fd, int command, ...)');
  const closeFd = libc.func('int close(int fd)');

  function check(result: number, task: string, syscall: string): number {
    if (result < 0) throw new NativeError(task, syscall, -koffi.errno());
    return result;
  }

  function switchOn(fd: number, name: number): void {
    const result = setsockopt(fd, constants.SOL_SOCKET, name, new Int32Array([1]), 4);
    check(result, 'prepare a socket', 'setsockopt');
  }

  function openTcpSocket(family: 4 | 6, { reusePort }: { readonly reusePort: boolean }): number {
    const { AF_INET, AF_INET6, SOCK_STREAM, SOCK_CLOEXEC, SOCK_NONBLOCK } = constants;
    const type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
    const fd = check(socket(family === 4 ? AF_INET : AF_INET6, type, 0), 'open a socket', 'socket');
    try {
      if (SOCK_CLOEXEC === 0) check(fcntl(fd, F_SETFD, 'int', FD_CLOEXEC), 'prepare a socket', 'fcntl');
      if (SOCK_NONBLOCK === 0) check(fcntl(fd, F_SETFL, 'int', constants.O_NONBLOCK), 'prepare a socket', 'fcntl');
      switchOn(fd, constants.SO_REUSEADDR);
      if (reusePort) switchOn(fd, constants.SO_REUSEPORT);
      return fd;
    } catch (error) {
      closeFd(fd);
      throw error;
    }
  }

  function getSockOptInt(fd: number, level: number, name: number): number {
    const value = new Int32Array(1);
    check(getsockopt(fd, level, name, value, new Uint32Array([4])), 'read a socket option', 'getsockopt');
    return value[0]!;
  }

  function tcpListenQueue(fd: number): ListenQueue | null {
    if (constants.tcpInfo === null) return null;
    const { level, name } = constants.tcpInfo;
    const info = new Uint32Array(TCP_INFO_WORDS);
    if (getsockopt(fd, level, name, info, new Uint32Array([info.byteLength])) < 0) return null;
    const [state] = new Uint8Array(info.buffer);
    if (state !== TCP_LISTEN) return null;
    return { length: info[TCPI_UNACKED]!, limit: info[TCPI_SACKED]! };
  }

  function close(fd: number): void {
    check(closeFd(fd), 'close a socket', 'close');
  }

  return { constants, openTcpSocket, getSockOptInt, tcpListenQueue, close };
}
