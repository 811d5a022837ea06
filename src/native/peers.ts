/** Who is at the other end of a unix socket, which socket a descriptor stands for, and those of other processes. Linux, by way of libc. */

export interface Peers {
  /** As it was when it connected: SO_PEERCRED, see unix(7). @throws NativeError */
  peerOf(fd: number): { readonly pid: number; readonly uid: number };
  /** The same for all duplicates of a socket, and for no other one: SO_COOKIE. As text, it has 64 bits. @throws NativeError */
  socketCookie(fd: number): string;
  /**
   * A duplicate of a descriptor of another process, close-on-exec; it is the caller's: pidfd_open(2), pidfd_getfd(2).
   *
   * @throws NativeError; EPERM where the process may not be looked into
   */
  takeDescriptor(pid: number, fd: number): number;
}

type Libc = ReturnType<typeof import('koffi')['load']>;
type Check = (result: number, task: string, syscall: string) => number;

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_COOKIE = 57;
/** The same numbers on every architecture that koffi has binaries for. */
const SYS_PIDFD_OPEN = 434;
const SYS_PIDFD_GETFD = 438;

export function openPeers(libc: Libc, check: Check): Peers {
  const getsockopt = libc.func('int getsockopt(int fd, int level, int name, void *value, void *length)');
  const syscall = libc.func('long syscall(long number, ...)');
  const close = libc.func('int close(int fd)');
  return {
    peerOf(fd) {
      const credentials = new Int32Array(3);
      check(
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, new Uint32Array([12])),
        'find out who has connected',
        'getsockopt',
      );
      return { pid: credentials[0]!, uid: credentials[1]! };
    },
    socketCookie(fd) {
      const cookie = new BigUint64Array(1);
      check(getsockopt(fd, SOL_SOCKET, SO_COOKIE, cookie, new Uint32Array([8])), 'tell sockets apart', 'getsockopt');
      return String(cookie[0]);
    },
    takeDescriptor(pid, fd) {
      const task = 'take a socket from a process';
      const pidfd = check(Number(syscall(SYS_PIDFD_OPEN, 'long', pid, 'long', 0)), task, 'pidfd_open');
      try {
        return check(Number(syscall(SYS_PIDFD_GETFD, 'long', pidfd, 'long', fd, 'long', 0)), task, 'pidfd_getfd');
      } finally {
        close(pidfd);
      }
    },
  };
}
