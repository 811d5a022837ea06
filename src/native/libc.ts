/**
 * Calls to libc, through koffi, behind a few typed functions. The only importer of koffi, which is optional: whoever
 * needs a call takes the result of `loadNative` as an argument and has to say what it does without.
 *
 * Must never keep or close a file descriptor that it has handed out.
 */
import os from 'node:os';
import { getSystemErrorName } from 'node:util';
import { HoldfastError } from '../errors.js';
import {
  AF_UNIX,
  F_GETFL,
  F_SETFD,
  F_SETFL,
  FD_CLOEXEC,
  type SocketConstants,
  socketConstants,
  WNOHANG,
} from './constants.js';
import { bindDatagrams, type Datagrams, duplicate, openDatagrams, openPipe } from './datagrams.js';
import { KOFFI, loadKoffi } from './koffi.js';
import { connectTo, loopbackAddress } from './loopback-address.js';
import { openTrim } from './memory.js';
import { openPeers, type Peers } from './peers.js';
import { openQueueWatch, type QueueWatch } from './queue-watch.js';
import { type Instruction, openReusePortPrograms } from './reuse-port-program.js';
import { type UnixSocket, unixSocket } from './unix-socket.js';

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
  /**
   * Binds a socket of its own to a port of 127.0.0.1 with no option set, which Node cannot do, and closes it again: what
   * would happen without SO_REUSEADDR.
   *
   * @throws NativeError; EADDRINUSE while a connection of the port is in TIME_WAIT
   */
  bindWithoutOptions(port: number): void;
  /** Begins a connection to a port of 127.0.0.1; the descriptor is the caller's. @throws NativeError */
  connectLoopback(port: number): number;
  /** An option that is an int; see getsockopt(2). @throws NativeError */
  getSockOptInt(fd: number, level: number, name: number): number;
  /** listen(2). On a socket that listens already it changes nothing but the backlog. @throws NativeError */
  listen(fd: number, backlog: number): void;
  /** The flag is of the socket itself: whoever holds a duplicate has it as well. @throws NativeError */
  setBlocking(fd: number): void;
  /** null where the socket does not listen, or the system does not tell. */
  tcpListenQueue(fd: number): ListenQueue | null;
  /** null for what is no unix stream socket, or where the system does not tell. */
  unixSocket(fd: number): UnixSocket | null;
  /** Looks after the accept queues of listening sockets. Linux only. @throws NativeError */
  openQueueWatch(): QueueWatch;
  /**
   * Has the program choose the socket for each new connection of the reuse-port group that `fd` belongs to, in place of
   * the one before. The kernel checks it; without privilege 4,096 instructions at most.
   *
   * @throws NativeError; ENOTSUP where the system has no such thing
   */
  attachReusePortProgram(fd: number, program: readonly Instruction[]): void;
  /** Back to the kernel's hash. @throws NativeError; ENOENT if there is no program */
  detachReusePortProgram(fd: number): void;
  /** To a unix socket; `@` in front of its path means an abstract one. Linux only. @throws NativeError */
  openDatagrams(path: string): Datagrams;
  /** A socket that gets datagrams at that path; non-blocking, and the caller's. Linux only. @throws NativeError */
  bindDatagrams(path: string): number;
  /** The same file under another number, which is the caller's. Linux only. @throws NativeError */
  duplicate(fd: number): number;
  /** Two unix stream sockets that are each other's peer, close-on-exec and non-blocking; both are the caller's. @throws NativeError */
  openStreamPair(): readonly [number, number];
  /** Both ends are the caller's. Linux only. @throws NativeError */
  openPipe(): { readonly read: number; readonly write: number };
  /**
   * Takes the exit status of a child that has ended, without waiting: waitpid(2) with WNOHANG. Only for children that Node
   * does not know: it would never hear of the end of one of its own.
   *
   * @param pid of one child; 0 and less would be any child or a whole group, and are refused
   * @returns false while it runs
   * @throws NativeError; with the errno of ECHILD, for which Node has no name, where there is no such child
   */
  reap(pid: number): boolean;
  /** null on other systems than Linux. */
  peers(): Peers | null;
  /** Gives memory that was freed back to the system, where libc can. */
  trimMemory(): void;
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
const EINVAL = -os.constants.errno.EINVAL;

let loaded: NativeLoad | undefined;

/** Loads koffi at the first call; later calls have the same answer. Never throws. */
export function loadNative(): NativeLoad {
  loaded ??= load(socketConstants(process.platform, process.arch), KOFFI);
  return loaded;
}

/** `loadNative` without its memory, for a system and a package of the caller's choice. */
export function load(constants: SocketConstants | undefined, packageName: string): NativeLoad {
  if (constants === undefined) {
    return { ok: false, reason: `the socket options of ${process.platform} on ${process.arch} are not known` };
  }
  try {
    const koffi = loadKoffi(packageName);
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
  const socketpair = libc.func('int socketpair(int domain, int type, int protocol, void *fds)');
  const bind = libc.func('int bind(int fd, const void *address, uint32_t length)');
  const fcntl = libc.func('int fcntl(int fd, int command, ...)');
  const listenFd = libc.func('int listen(int fd, int backlog)');
  const closeFd = libc.func('int close(int fd)');
  const waitpid = libc.func('int waitpid(int pid, void *status, int options)');

  function check(result: number, task: string, syscall: string): number {
    if (result < 0) throw new NativeError(task, syscall, -koffi.errno());
    return result;
  }

  function unsupported(task: string): NativeError {
    return new NativeError(task, 'setsockopt', -os.constants.errno.ENOTSUP);
  }

  function switchOn(fd: number, name: number): void {
    const result = setsockopt(fd, constants.SOL_SOCKET, name, new Int32Array([1]), 4);
    check(result, 'prepare a socket', 'setsockopt');
  }

  /** Close-on-exec and non-blocking, where socket(2) has no flags for it. */
  function setFlags(fd: number): void {
    if (constants.SOCK_CLOEXEC === 0) check(fcntl(fd, F_SETFD, 'int', FD_CLOEXEC), 'prepare a socket', 'fcntl');
    if (constants.SOCK_NONBLOCK === 0)
      check(fcntl(fd, F_SETFL, 'int', constants.O_NONBLOCK), 'prepare a socket', 'fcntl');
  }

  function openStreamPair(): readonly [number, number] {
    const type = constants.SOCK_STREAM | constants.SOCK_CLOEXEC | constants.SOCK_NONBLOCK;
    const fds = new Int32Array(2);
    check(socketpair(AF_UNIX, type, 0, fds), 'open a pair of sockets', 'socketpair');
    const pair = [fds[0]!, fds[1]!] as const;
    try {
      for (const fd of pair) setFlags(fd);
      return pair;
    } catch (error) {
      for (const fd of pair) closeFd(fd);
      throw error;
    }
  }

  function openTcpSocket(family: 4 | 6, { reusePort }: { readonly reusePort: boolean }): number {
    const { AF_INET, AF_INET6, SOCK_STREAM, SOCK_CLOEXEC, SOCK_NONBLOCK } = constants;
    const type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
    const fd = check(socket(family === 4 ? AF_INET : AF_INET6, type, 0), 'open a socket', 'socket');
    try {
      setFlags(fd);
      switchOn(fd, constants.SO_REUSEADDR);
      if (reusePort) switchOn(fd, constants.SO_REUSEPORT);
      return fd;
    } catch (error) {
      closeFd(fd);
      throw error;
    }
  }

  function bindWithoutOptions(port: number): void {
    const fd = check(socket(constants.AF_INET, constants.SOCK_STREAM, 0), 'open a socket', 'socket');
    try {
      const address = loopbackAddress(constants.AF_INET, port);
      check(bind(fd, address, address.byteLength), 'bind a socket', 'bind');
    } finally {
      closeFd(fd);
    }
  }

  function connectLoopback(port: number): number {
    const fd = openTcpSocket(4, { reusePort: false });
    try {
      connectTo(loopbackAddress(constants.AF_INET, port), fd, { koffi, libc, check });
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

  function listen(fd: number, backlog: number): void {
    check(listenFd(fd, backlog), 'listen on a socket', 'listen');
  }

  function setBlocking(fd: number): void {
    const task = 'make a socket blocking';
    const flags = check(fcntl(fd, F_GETFL, 'int', 0), task, 'fcntl');
    check(fcntl(fd, F_SETFL, 'int', flags & ~constants.O_NONBLOCK), task, 'fcntl');
  }

  // Steering asks a hundred times a second: one buffer serves all calls.
  const info = new Uint32Array(TCP_INFO_WORDS);
  const infoBytes = new Uint8Array(info.buffer);
  const infoLength = new Uint32Array(1);

  function tcpListenQueue(fd: number): ListenQueue | null {
    if (constants.tcpInfo === null) return null;
    const { level, name } = constants.tcpInfo;
    infoLength[0] = info.byteLength;
    if (getsockopt(fd, level, name, info, infoLength) < 0) return null;
    if (infoBytes[0] !== TCP_LISTEN) return null;
    return { length: info[TCPI_UNACKED]!, limit: info[TCPI_SACKED]! };
  }

  function reap(pid: number): boolean {
    const task = 'take the exit status of a child';
    if (!Number.isInteger(pid) || pid < 1) throw new NativeError(task, 'waitpid', EINVAL);
    return check(waitpid(pid, null, WNOHANG), task, 'waitpid') === pid;
  }

  function close(fd: number): void {
    check(closeFd(fd), 'close a socket', 'close');
  }

  let peers: Peers | null = null;
  return {
    constants,
    openTcpSocket,
    bindWithoutOptions,
    connectLoopback,
    getSockOptInt,
    listen,
    setBlocking,
    tcpListenQueue,
    unixSocket: (fd) => unixSocket(libc, fd),
    openQueueWatch: () => openQueueWatch(libc, check),
    ...openReusePortPrograms(koffi, libc, check, constants, unsupported),
    openDatagrams: (path) => openDatagrams(koffi, libc, check, path),
    bindDatagrams: (path) => bindDatagrams(libc, check, path),
    duplicate: (fd) => duplicate(libc, check, fd),
    openStreamPair,
    openPipe: () => openPipe(libc, check),
    reap,
    peers: () => {
      // Seldom needed: the functions are looked up when they are.
      if (process.platform === 'linux') peers ??= openPeers(libc, check);
      return peers;
    },
    trimMemory: openTrim(libc),
    close,
  };
}
