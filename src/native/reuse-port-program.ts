/** The program that chooses among the sockets of a reuse-port group: socket(7), SO_ATTACH_REUSEPORT_CBPF. */
import os from 'node:os';
import type { SocketConstants } from './constants.js';

/** One instruction of classic BPF: `struct sock_filter` of Linux `include/uapi/linux/filter.h`. */
export interface Instruction {
  /** 16 bits. */
  readonly code: number;
  /** How many instructions to skip when a comparison holds, and when it does not; 0 to 255. */
  readonly jt: number;
  readonly jf: number;
  /** 32 bits. */
  readonly k: number;
}

type Koffi = typeof import('koffi');
type Libc = ReturnType<Koffi['load']>;
type Check = (result: number, task: string, syscall: string) => number;

/** `sizeof(struct sock_filter)`: code, jt, jf, k. */
const INSTRUCTION_BYTES = 8;
const LITTLE_ENDIAN = os.endianness() === 'LE';

/** @param unsupported the error for a system that has no such thing */
export function openReusePortPrograms(
  koffi: Koffi,
  libc: Libc,
  check: Check,
  { steering, SOL_SOCKET }: Pick<SocketConstants, 'steering' | 'SOL_SOCKET'>,
  unsupported: (task: string) => Error,
) {
  const SockFprog = koffi.struct({ length: 'uint16_t', filter: 'const void *' });
  const attach = libc.func('setsockopt', 'int', ['int', 'int', 'int', koffi.pointer(SockFprog), 'uint32_t']);
  const setsockopt = libc.func('int setsockopt(int fd, int level, int name, const void *value, uint32_t length)');

  function attachReusePortProgram(fd: number, program: readonly Instruction[]): void {
    const task = 'attach a steering program';
    if (steering === null) throw unsupported(task);
    const filter = new DataView(new ArrayBuffer(program.length * INSTRUCTION_BYTES));
    for (const [i, { code, jt, jf, k }] of program.entries()) {
      const at = i * INSTRUCTION_BYTES;
      filter.setUint16(at, code, LITTLE_ENDIAN);
      filter.setUint8(at + 2, jt);
      filter.setUint8(at + 3, jf);
      filter.setUint32(at + 4, k >>> 0, LITTLE_ENDIAN);
    }
    const size = koffi.sizeof(SockFprog);
    check(attach(fd, SOL_SOCKET, steering.attach, { length: program.length, filter }, size), task, 'setsockopt');
  }

  function detachReusePortProgram(fd: number): void {
    const task = 'detach a steering program';
    if (steering === null) throw unsupported(task);
    check(setsockopt(fd, SOL_SOCKET, steering.detach, new Int32Array([0]), 4), task, 'setsockopt');
  }

  return { attachReusePortProgram, detachReusePortProgram };
}
