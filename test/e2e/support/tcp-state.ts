/** What the kernel says of TCP ports: shown, not assumed. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';

const TIME_WAIT = '06';
const LISTEN = '0A';

/** Connections in TIME_WAIT whose local port is this one. */
export function timeWaits(port: number): number {
  return rows(port).filter(({ state }) => state === TIME_WAIT).length;
}

/** Sockets that listen on the port, by whatever process; one that is held twice counts once. */
export function listeners(port: number): number {
  return rows(port).filter(({ state }) => state === LISTEN).length;
}

/** Connections that wait to be accepted on the port, on all of its sockets. */
export function queued(port: number): number {
  // For a listening socket the receive queue is its accept queue: Documentation/networking/proc_net_tcp.rst.
  return rows(port).reduce((sum, { state, receiveQueue }) => sum + (state === LISTEN ? receiveQueue : 0), 0);
}

/**
 * Peers' ports of the connections to the port that a process has accepted and holds open. For a process that is
 * stopped: what runs has changed before it is told.
 */
export function acceptedBy(pid: number, port: number): Set<number> {
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).map((fd) => /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1]),
  );
  const held = rows(port).filter(({ state, inode }) => state !== LISTEN && inodes.has(inode));
  return new Set(held.map(({ peer }) => peer));
}

interface Row {
  readonly state: string;
  readonly peer: number;
  readonly receiveQueue: number;
  readonly inode: string;
}

function rows(port: number): Row[] {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return ['/proc/net/tcp', '/proc/net/tcp6']
    .flatMap((file) => readFileSync(file, 'utf8').split('\n').slice(1))
    .map((row) => row.trim().split(/\s+/))
    .filter(([, local]) => local?.endsWith(`:${hex}`))
    .map(([, , remote = '', state = '', queues = '', , , , , inode = '']) => ({
      state,
      peer: Number.parseInt(remote.slice(remote.indexOf(':') + 1), 16),
      receiveQueue: Number.parseInt(queues.slice(9), 16),
      inode,
    }));
}

/** bind(2) on 0.0.0.0 with no option set, which Node cannot do: the name of its error, or `bound`. */
export function bindWithoutReuseAddr(port: number): string {
  const koffi = createRequire(import.meta.url)('koffi');
  const libc = koffi.load(null);
  const AF_INET = 2;
  const SOCK_STREAM = 1;
  const address = Buffer.alloc(16);
  address.writeUInt16LE(AF_INET, 0);
  address.writeUInt16BE(port, 2);
  const fd = libc.func('int socket(int, int, int)')(AF_INET, SOCK_STREAM, 0);
  try {
    if (libc.func('int bind(int, const void *, uint32_t)')(fd, address, address.length) === 0) return 'bound';
    const errno = koffi.errno();
    return Object.entries(os.constants.errno).find(([, value]) => value === errno)?.[0] ?? String(errno);
  } finally {
    libc.func('int close(int)')(fd);
  }
}
