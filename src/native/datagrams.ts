/**
 * Datagrams to a unix socket, with file descriptors where need be: what systemd and its journal are told by, and what Node
 * has no sockets for. Linux, by way of libc.
 */
export interface Datagrams {
  /**
   * One datagram, with duplicates of `fds`. Never blocks.
   *
   * @throws NativeError; EAGAIN where the receiver lags behind, EMSGSIZE where it is too large
   */
  send(payload: Uint8Array, fds?: readonly number[]): void;
  close(): void;
}

type Koffi = typeof import('koffi');
type Libc = ReturnType<Koffi['load']>;
type Check = (result: number, task: string, syscall: string) => number;

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const F_DUPFD_CLOEXEC = 1030;
const O_CLOEXEC = 0o2000000;
/** `sizeof(struct sockaddr_un)` less the family. */
const PATH_BYTES = 108;
/** `struct cmsghdr` of LP64: length in 8 bytes, level and type in 4 each; see cmsg(3). */
const CMSG_HEADER_BYTES = 16;
/** Enough for a line of the log with all its fields; the system may grant less. */
const SEND_BUFFER_BYTES = 8 * 1024 * 1024;

/** @param path of the socket; `@` in front means an abstract one, see unix(7) */
export function openDatagrams(koffi: Koffi, libc: Libc, check: Check, path: string): Datagrams {
  const socket = libc.func('int socket(int domain, int type, int protocol)');
  const connect = libc.func('int connect(int fd, const void *address, uint32_t length)');
  const setsockopt = libc.func('int setsockopt(int fd, int level, int name, const void *value, uint32_t length)');
  const closeFd = libc.func('int close(int fd)');
  const Iovec = koffi.struct({ base: 'const void *', length: 'size_t' });
  const Msghdr = koffi.struct({
    name: 'void *',
    nameLength: 'uint32_t',
    vectors: koffi.pointer(Iovec),
    count: 'size_t',
    control: 'const void *',
    controlLength: 'size_t',
    flags: 'int',
  });
  const sendmsg = libc.func('sendmsg', 'long', ['int', koffi.pointer(Msghdr), 'int']);
  const task = `send to ${path}`;

  const address = addressOf(path, task);
  const fd = check(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), task, 'socket');
  try {
    check(connect(fd, address, address.byteLength), task, 'connect');
  } catch (error) {
    closeFd(fd);
    throw error;
  }
  // Without it the lines that are longer than the default buffer would be lost; where it is refused they are.
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, new Int32Array([SEND_BUFFER_BYTES]), 4);

  return {
    send(payload, fds = []) {
      const control = fds.length === 0 ? null : rights(fds);
      const message = {
        name: null,
        nameLength: 0,
        vectors: [{ base: payload, length: payload.byteLength }],
        count: 1,
        control,
        controlLength: control?.byteLength ?? 0,
        flags: 0,
      };
      check(Number(sendmsg(fd, message, MSG_DONTWAIT | MSG_NOSIGNAL)), task, 'sendmsg');
    },
    close: () => void closeFd(fd),
  };
}

/** A socket that gets datagrams at `path`, close-on-exec and non-blocking; it is the caller's. @throws NativeError */
export function bindDatagrams(libc: Libc, check: Check, path: string): number {
  const socket = libc.func('int socket(int domain, int type, int protocol)');
  const bind = libc.func('int bind(int fd, const void *address, uint32_t length)');
  const closeFd = libc.func('int close(int fd)');
  const task = `be told at ${path}`;
  const address = addressOf(path, task);
  const fd = check(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), task, 'socket');
  try {
    check(bind(fd, address, address.byteLength), task, 'bind');
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

/** `struct sockaddr_un`. @param path `@` in front means an abstract one */
function addressOf(path: string, task: string): Buffer {
  const name = Buffer.from(path.startsWith('@') ? `\0${path.slice(1)}` : path);
  if (name.length >= PATH_BYTES) throw new RangeError(`cannot ${task}: the path is too long`);
  const address = Buffer.alloc(2 + name.length);
  // The family is a number of the machine's own byte order; no system that koffi has binaries for is big-endian here.
  address.writeUInt16LE(AF_UNIX);
  name.copy(address, 2);
  return address;
}

/** A pipe, both ends close-on-exec; they are the caller's. @throws NativeError */
export function openPipe(libc: Libc, check: Check): { readonly read: number; readonly write: number } {
  const pipe2 = libc.func('int pipe2(void *fds, int flags)');
  const fds = new Int32Array(2);
  check(pipe2(fds, O_CLOEXEC), 'open a pipe', 'pipe2');
  return { read: fds[0]!, write: fds[1]! };
}

/**
 * A duplicate of a file descriptor, close-on-exec; it is the caller's: fcntl(2), F_DUPFD_CLOEXEC.
 *
 * @throws NativeError
 */
export function duplicate(libc: Libc, check: Check, fd: number): number {
  const fcntl = libc.func('int fcntl(int fd, int command, ...)');
  return check(fcntl(fd, F_DUPFD_CLOEXEC, 'int', 0), 'duplicate a file descriptor', 'fcntl');
}

function rights(fds: readonly number[]): Uint8Array {
  const length = CMSG_HEADER_BYTES + fds.length * 4;
  const control = new DataView(new ArrayBuffer(Math.ceil(length / 8) * 8));
  control.setBigUint64(0, BigInt(length), true);
  control.setInt32(8, SOL_SOCKET, true);
  control.setInt32(12, SCM_RIGHTS, true);
  for (const [i, fd] of fds.entries()) control.setInt32(CMSG_HEADER_BYTES + i * 4, fd, true);
  return new Uint8Array(control.buffer);
}
