/** What the kernel says of TCP ports: shown, not assumed. */
import { readFileSync } from 'node:fs';
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

function rows(port: number): { state: string; receiveQueue: number }[] {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return ['/proc/net/tcp', '/proc/net/tcp6']
    .flatMap((file) => readFileSync(file, 'utf8').split('\n').slice(1))
    .map((row) => row.trim().split(/\s+/))
    .filter(([, local]) => local?.endsWith(`:${hex}`))
    .map(([, , , state = '', queues = '']) => ({ state, receiveQueue: Number.parseInt(queues.slice(9), 16) }));
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
