/**
 * Numbers of the sockets API that Node does not export, by system. Plain data; used by libc.ts and whoever reads options.
 *
 * Sources: Linux `include/uapi/asm-generic/socket.h`, `include/linux/net.h`, `include/uapi/linux/tcp.h`; macOS
 * `bsd/sys/socket.h`, `bsd/sys/fcntl.h` of xnu; FreeBSD `sys/sys/socket.h`, `sys/sys/fcntl.h`.
 */

export interface SocketConstants {
  readonly AF_INET: number;
  readonly AF_INET6: number;
  readonly SOCK_STREAM: number;
  /** 0 where socket(2) does not take the flag: fcntl(2) then does it. */
  readonly SOCK_CLOEXEC: number;
  /** 0 where socket(2) does not take the flag. */
  readonly SOCK_NONBLOCK: number;
  readonly O_NONBLOCK: number;
  readonly SOL_SOCKET: number;
  readonly SO_REUSEADDR: number;
  /** The option that spreads connections over sockets; FreeBSD has a name of its own for it, SO_REUSEPORT_LB. */
  readonly SO_REUSEPORT: number;
  /** Where TCP_INFO tells the accept queue of a listening socket; null where it does not. */
  readonly tcpInfo: { readonly level: number; readonly name: number } | null;
  /** Options at SOL_SOCKET by which a program picks the socket of a reuse-port group; null where there are none. */
  readonly steering: { readonly attach: number; readonly detach: number } | null;
}

/** The same everywhere. */
export const AF_UNIX = 1;
/** POSIX leaves these to the systems; the three agree. */
export const F_SETFD = 2;
export const F_GETFL = 3;
export const F_SETFL = 4;
export const FD_CLOEXEC = 1;
/** Of waitpid(2). */
export const WNOHANG = 1;

const linux: SocketConstants = {
  AF_INET: 2,
  AF_INET6: 10,
  SOCK_STREAM: 1,
  SOCK_CLOEXEC: 0o2000000,
  SOCK_NONBLOCK: 0o4000,
  O_NONBLOCK: 0o4000,
  SOL_SOCKET: 1,
  SO_REUSEADDR: 2,
  SO_REUSEPORT: 15,
  tcpInfo: { level: 6, name: 11 },
  // SO_ATTACH_REUSEPORT_CBPF, SO_DETACH_REUSEPORT_BPF
  steering: { attach: 51, detach: 68 },
};

const darwin: SocketConstants = {
  AF_INET: 2,
  AF_INET6: 30,
  SOCK_STREAM: 1,
  SOCK_CLOEXEC: 0,
  SOCK_NONBLOCK: 0,
  O_NONBLOCK: 0x0004,
  SOL_SOCKET: 0xffff,
  SO_REUSEADDR: 0x0004,
  SO_REUSEPORT: 0x0200,
  tcpInfo: null,
  steering: null,
};

const freebsd: SocketConstants = {
  AF_INET: 2,
  AF_INET6: 28,
  SOCK_STREAM: 1,
  SOCK_CLOEXEC: 0x10000000,
  SOCK_NONBLOCK: 0x20000000,
  O_NONBLOCK: 0x0004,
  SOL_SOCKET: 0xffff,
  SO_REUSEADDR: 0x0004,
  SO_REUSEPORT: 0x00010000,
  tcpInfo: null,
  steering: null,
};

/** Architectures on which Linux follows asm-generic; MIPS, for one, counts its options differently. */
const GENERIC_LINUX = ['arm', 'arm64', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'x64'];

/**
 * @param platform as in `process.platform`
 * @param arch as in `process.arch`
 * @returns undefined for a system whose numbers are not known
 */
export function socketConstants(platform: string, arch: string): SocketConstants | undefined {
  if (platform === 'linux') return GENERIC_LINUX.includes(arch) ? linux : undefined;
  if (platform === 'darwin') return darwin;
  if (platform === 'freebsd') return freebsd;
  return undefined;
}
