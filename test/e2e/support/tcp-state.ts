/** What the kernel says of TCP ports: shown, not assumed. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';

const TIME_WAIT = '06';

/** Connections in TIME_WAIT whose local port is this one. */
export function timeWaits(port: number): number {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  let count = 0;
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const row of readFileSync(file, 'utf8').split('\n').slice(1)) {
      const [, local, , state] = row.trim().split(/\s+/);
      if (state === TIME_WAIT && local?.endsWith(`:${hex}`)) count += 1;
    }
  }
  return count;
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
