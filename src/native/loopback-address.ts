import os from 'node:os';
import type { Koffi } from './koffi.js';

type Check = (result: number, task: string, syscall: string) => number;

/** `sizeof(struct sockaddr_in)` */
const SOCKADDR_IN_BYTES = 16;

/** `struct sockaddr_in` of 127.0.0.1. Linux has the family in 16 bits; the BSDs have length and family in 8 bits each. */
export function loopbackAddress(family: number, port: number): Uint8Array {
  const address = new DataView(new ArrayBuffer(SOCKADDR_IN_BYTES));
  if (process.platform === 'linux') address.setUint16(0, family, os.endianness() === 'LE');
  else address.setUint16(0, (SOCKADDR_IN_BYTES << 8) | family);
  address.setUint16(2, port);
  address.setUint32(4, 0x7f00_0001);
  return new Uint8Array(address.buffer);
}

/** Begins to connect, and waits for nothing. @param fd does not block @throws what `check` throws */
export function connectTo(
  address: Uint8Array,
  fd: number,
  { koffi, libc, check }: { readonly koffi: Koffi; readonly libc: ReturnType<Koffi['load']>; readonly check: Check },
): void {
  const connect = libc.func('int connect(int fd, const void *address, uint32_t length)');
  const result = connect(fd, address, address.byteLength);
  if (result < 0 && koffi.errno() === os.constants.errno.EINPROGRESS) return;
  check(result, 'connect a socket', 'connect');
}
