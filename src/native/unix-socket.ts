/** What a unix socket is called, which Node does not tell. Linux, by way of libc. */
import { AF_UNIX } from './constants.js';

export interface UnixSocket {
  /** Absolute as it was bound; abstract with a leading NUL; empty for one that has no name. */
  readonly path: string;
}

type Libc = ReturnType<typeof import('koffi')['load']>;

const SOL_SOCKET = 1;
const SO_TYPE = 3;
const SOCK_STREAM = 1;
/** `struct sockaddr_un`: the family in 16 bits, then the path. */
const FAMILY_BYTES = 2;
const ADDRESS_BYTES = FAMILY_BYTES + 108;

/** null for what is no stream socket of that kind. */
export function unixSocket(libc: Libc, fd: number): UnixSocket | null {
  if (process.platform !== 'linux') return null;
  const getsockname = libc.func('int getsockname(int fd, void *address, void *length)');
  const getsockopt = libc.func('int getsockopt(int fd, int level, int name, void *value, void *length)');
  const address = Buffer.alloc(ADDRESS_BYTES + 1);
  const length = new Uint32Array([ADDRESS_BYTES]);
  if (getsockname(fd, address, length) < 0 || address.readUInt16LE(0) !== AF_UNIX) return null;
  const type = new Int32Array(1);
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, type, new Uint32Array([4])) < 0 || type[0] !== SOCK_STREAM) return null;
  const name = address.subarray(FAMILY_BYTES, Math.max(FAMILY_BYTES, length[0]!));
  // That of a file ends with its first NUL; that of an abstract one begins with one, and any may follow.
  const end = name[0] === 0 ? -1 : name.indexOf(0);
  return { path: (end === -1 ? name : name.subarray(0, end)).toString() };
}
