import os from 'node:os';

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
