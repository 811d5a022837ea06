/**
 * Writes the program that picks the socket of a reuse-port group for each new connection, in the classic BPF of Linux.
 * Pure: the caller knows the group's order and attaches the result. Must never give a program that the kernel refuses,
 * nor one that answers with an index it was not told.
 */
import type { Instruction } from '../native/reuse-port-program.js';

export type Choice =
  | {
      readonly kind: 'random';
      /**
       * Shares, by index in the group: whole numbers from 0, at least one above it and at most 256 of them. Their sum
       * fits in 32 bits. A share is exact up to sum / 2^32 of itself, what a 32-bit random number modulo the sum leaves.
       */
      readonly weights: readonly number[];
    }
  | {
      readonly kind: 'clientIp';
      /** In slot order, which must stay; 1 to 256, at least one open. */
      readonly seats: readonly Seat[];
    };

/** What a slot is to client affinity: its place among the seats is what an address is mapped to. */
export interface Seat {
  /** In the group. Of no concern while the seat is not open. */
  readonly index: number;
  /** Whether it gets new connections. */
  readonly open: boolean;
}

/** How many sockets of a group can get connections. */
export const MAX_STEERED = 256;

// Linux include/uapi/linux/bpf_common.h: an instruction is its class, then what the class makes of the higher bits.
const BPF_LD = 0x00;
const BPF_ALU = 0x04;
const BPF_JMP = 0x05;
const BPF_RET = 0x06;
const BPF_MISC = 0x07;
const BPF_W = 0x00;
const BPF_B = 0x10;
const BPF_ABS = 0x20;
const BPF_MUL = 0x20;
const BPF_DIV = 0x30;
const BPF_RSH = 0x70;
const BPF_MOD = 0x90;
const BPF_XOR = 0xa0;
const BPF_JA = 0x00;
const BPF_JEQ = 0x10;
const BPF_JGE = 0x30;
const BPF_K = 0x00;
const BPF_X = 0x08;
// Linux include/uapi/linux/filter.h: A and X are the two registers; a load from these offsets reads no payload.
const BPF_TAX = 0x00;
const BPF_TXA = 0x80;
const SKF_AD_OFF = -0x1000;
const SKF_AD_RANDOM = 56;
const SKF_NET_OFF = -0x100000;

const TAX: Instruction = { code: BPF_MISC | BPF_TAX, jt: 0, jf: 0, k: 0 };
const TXA: Instruction = { code: BPF_MISC | BPF_TXA, jt: 0, jf: 0, k: 0 };
const XOR_X: Instruction = { code: BPF_ALU | BPF_XOR | BPF_X, jt: 0, jf: 0, k: 0 };

/** Of a group: Linux counts its sockets in 16 bits (`struct sock_reuseport`, `include/net/sock_reuseport.h`). */
const MAX_INDEX = 0xffff;
const UINT32_MAX = 0xffff_ffff;

/** Where the IP headers have the source address, in bytes: RFC 791, section 3.1, and RFC 8200, section 3. */
const IPV4_SOURCE = 12;
const IPV6_SOURCE = 8;

/** What a program that decides by a number does with those below `end` that no part before has taken. */
interface Part {
  readonly end: number;
  /** The socket's index; null goes on behind the tree. */
  readonly index: number | null;
}

/**
 * The program for a choice, to be attached to the group. At most 1,100 instructions, which the kernel takes from anybody.
 *
 * - `random`: by weights; a socket of weight 0 gets nothing.
 * - `clientIp`: by the source address, each address always to the same seat. While that seat is not open, its
 *   addresses are spread over the open ones, and come back when it opens. An address whose seat is open never moves.
 *
 * @throws RangeError if the choice is outside of its bounds
 */
export function steeringProgram(choice: Choice): Instruction[] {
  return choice.kind === 'random' ? byWeights(choice.weights) : byClientAddress(choice.seats);
}

function byWeights(weights: readonly number[]): Instruction[] {
  const parts: Part[] = [];
  let sum = 0;
  for (const [index, weight] of weights.entries()) {
    if (!isWhole(weight, UINT32_MAX)) throw fault(`weight ${weight} is not a whole number from 0 to ${UINT32_MAX}`);
    sum += weight;
    if (weight > 0) parts.push({ end: sum, index: checkIndex(index) });
  }
  if (sum > UINT32_MAX) throw fault(`the weights' sum ${sum} does not fit in 32 bits`);
  checkCount(parts.length, 'sockets with a weight above 0');
  if (parts.length === 1) return tree(parts);
  return [load(BPF_W, SKF_AD_OFF + SKF_AD_RANDOM), alu(BPF_MOD, sum), ...tree(parts)];
}

function byClientAddress(seats: readonly Seat[]): Instruction[] {
  checkCount(seats.length, 'seats');
  const open = seats.filter((seat) => seat.open).map((seat) => checkIndex(seat.index));
  checkCount(open.length, 'open seats');
  if (new Set(open).size < open.length) throw fault('two open seats have the same index');
  const byPlace = (indexes: readonly (number | null)[]) => tree(merged(indexes));
  if (open.length === 1) return byPlace(open);
  // The hash stays in X, for the second draw.
  const draw = [
    ...addressHash(),
    TAX,
    alu(BPF_MOD, seats.length),
    ...byPlace(seats.map((s) => (s.open ? s.index : null))),
  ];
  if (open.length === seats.length) return draw;
  // Not the same digits of the hash again: those of one closed seat would all go to one open one.
  return [...draw, TXA, alu(BPF_DIV, seats.length), alu(BPF_MOD, open.length), ...byPlace(open)];
}

/** One part for each run of the same index. */
function merged(indexes: readonly (number | null)[]): Part[] {
  return indexes.flatMap((index, i) =>
    i + 1 < indexes.length && indexes[i + 1] === index ? [] : { end: i + 1, index },
  );
}

/**
 * Binary search for the part of the number in A. A leaf is one instruction, and one comparison stands between each two.
 * Comparisons skip the lower half: for 256 parts that is 255 instructions, the most that 8 bits can.
 */
function tree(parts: readonly Part[]): Instruction[] {
  const length = 2 * parts.length - 1;
  const code: Instruction[] = [];
  function emit(first: number, end: number): void {
    if (end - first === 1) {
      const { index } = parts[first]!;
      code.push(index === null ? jump(length - code.length - 1) : result(index));
      return;
    }
    const middle = Math.floor((first + end) / 2);
    const lowerHalf = 2 * (middle - first) - 1;
    code.push({ code: BPF_JMP | BPF_JGE | BPF_K, jt: lowerHalf, jf: 0, k: parts[middle - 1]!.end });
    emit(first, middle);
    emit(middle, end);
  }
  emit(0, parts.length);
  return code;
}

/**
 * Leaves a hash of the source address in A. An IPv4 client has an IPv4 header on a socket of both families too, and so
 * the same hash. Without a secret, so that it survives the supervisor.
 */
function addressHash(): Instruction[] {
  const word = (offset: number) => load(BPF_W, SKF_NET_OFF + offset);
  const ipv6 = [
    word(IPV6_SOURCE),
    ...[4, 8, 12].flatMap((offset) => [...mix(), TAX, word(IPV6_SOURCE + offset), XOR_X]),
  ];
  const ipv4 = [word(IPV4_SOURCE)];
  return [
    // The version is the upper half of the first byte in both headers.
    load(BPF_B, SKF_NET_OFF),
    alu(BPF_RSH, 4),
    { code: BPF_JMP | BPF_JEQ | BPF_K, jt: 0, jf: ipv6.length + 1, k: 6 },
    ...ipv6,
    jump(ipv4.length),
    ...ipv4,
    ...mix(),
  ];
}

/** Spreads every bit of A over all of A, one to one: the finalizer of MurmurHash3, 32 bits. Overwrites X. */
function mix(): Instruction[] {
  return [...xorShift(16), alu(BPF_MUL, 0x85eb_ca6b), ...xorShift(13), alu(BPF_MUL, 0xc2b2_ae35), ...xorShift(16)];
}

function xorShift(bits: number): Instruction[] {
  return [TAX, alu(BPF_RSH, bits), XOR_X];
}

function load(size: number, offset: number): Instruction {
  // Offsets below 0 are meant as such by the kernel, which has them in 32 bits without a sign.
  return { code: BPF_LD | size | BPF_ABS, jt: 0, jf: 0, k: offset >>> 0 };
}

function alu(operation: number, operand: number): Instruction {
  return { code: BPF_ALU | operation | BPF_K, jt: 0, jf: 0, k: operand };
}

/** @param distance how many instructions to skip */
function jump(distance: number): Instruction {
  return { code: BPF_JMP | BPF_JA, jt: 0, jf: 0, k: distance };
}

function result(index: number): Instruction {
  return { code: BPF_RET | BPF_K, jt: 0, jf: 0, k: index };
}

function checkIndex(index: number): number {
  if (!isWhole(index, MAX_INDEX)) throw fault(`index ${index} is not a whole number from 0 to ${MAX_INDEX}`);
  return index;
}

function checkCount(count: number, what: string): void {
  if (count < 1 || count > MAX_STEERED) throw fault(`${count} ${what}, not 1 to ${MAX_STEERED}`);
}

function isWhole(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max;
}

function fault(reason: string): RangeError {
  return new RangeError(`cannot write a steering program: ${reason}`);
}
