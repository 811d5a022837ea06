/**
 * Finds who listens on an address, to name it in an error. Reads /proc; elsewhere than Linux nobody is found.
 *
 * Called when a bind has failed. Must never throw, and never tell more of a process than the start of its command.
 */
import { readdirSync, readlinkSync, statSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { SocketAddress } from 'node:net';
import os from 'node:os';
import { basename } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { formatAddress, overlaps } from './address.js';

export interface Owner {
  /** null where the system shows the socket, but not whose it is; or where it was not found soon enough. */
  readonly pid: number | null;
  readonly uid: number;
  /** The start of its command line; null where it cannot be read. */
  readonly command: string | null;
  /** What it listens on, which may be wider than what was asked for. */
  readonly address: string;
  /** Goes on with the search, where that was broken off. Never rejects. */
  readonly later?: () => Promise<Owner>;
}

/** A line of /proc/net/tcp or /proc/net/tcp6, as proc(5) has them. */
export interface ProcNetTcpRow {
  /** An IPv4 address that is mapped into IPv6 is given as IPv4: that is what the socket listens for. */
  readonly host: string;
  readonly port: number;
  /** `include/net/tcp_states.h`; 10 is listening. */
  readonly state: number;
  readonly uid: number;
  readonly inode: number;
}

/** `include/net/tcp_states.h` */
export const TCP_LISTEN = 10;
/** Files that are looked at while somebody waits for an answer: 50 ms, or 150 on a slow machine. Thousands of processes have more. */
export const SOON_FILES = 10_000;
/** The search is synchronous, as that takes a quarter of the time, but the supervisor has other things to do. */
const SLICE_FILES = 1_000;
/** Bytes of a command line that are read, and characters that are shown. */
const COMMAND_READ_BYTES = 512;
const COMMAND_CHARACTERS = 120;

const ROW =
  /^\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} ([0-9A-F]{2}) \S+ \S+ \S+ +(\d+) +\d+ +(\d+)/;

/**
 * @param host as in a request to listen; null is any address
 * @param proc where the proc file system is
 * @param mostFiles of all processes: after so many the search is broken off
 * @returns null if nobody is found there, or the system does not tell
 */
export async function findOwner(
  host: string | null,
  port: number,
  proc = '/proc',
  mostFiles = Number.POSITIVE_INFINITY,
): Promise<Owner | null> {
  const texts = await Promise.all(['tcp', 'tcp6'].map((name) => readOrEmpty(`${proc}/net/${name}`)));
  const wanted = { host, port, ipv6Only: false };
  const rows = texts
    .flatMap((text) => parseProcNetTcp(text))
    .filter((row) => row.state === TCP_LISTEN && overlaps(wanted, { ...row, ipv6Only: false }));
  const row = rows.find((candidate) => candidate.host === host) ?? rows[0];
  if (row === undefined) return null;
  const { uid, inode } = row;
  const address = formatAddress(row.host, row.port);
  const tell = async ({ pid }: Found): Promise<Owner> => {
    return { pid, uid, command: pid === null ? null : await readCommand(`${proc}/${pid}/cmdline`), address };
  };
  const found = await findHolder(inode, processesOf(uid, proc), { proc, mostFiles });
  const { left } = found;
  if (left.length === 0) return tell(found);
  const everything = { proc, mostFiles: Number.POSITIVE_INFINITY };
  return { ...(await tell(found)), later: async () => tell(await findHolder(inode, left, everything)) };
}

/** Lines that are none of a socket are left out. @param endianness of the machine: addresses are words of its memory */
export function parseProcNetTcp(text: string, endianness: 'LE' | 'BE' = os.endianness()): ProcNetTcpRow[] {
  const rows: ProcNetTcpRow[] = [];
  for (const line of text.split('\n')) {
    const [, address, port, state, uid, inode] = ROW.exec(line) ?? [];
    if (address === undefined || port === undefined || state === undefined) continue;
    rows.push({
      host: parseHost(address, endianness),
      port: Number.parseInt(port, 16),
      state: Number.parseInt(state, 16),
      uid: Number(uid),
      inode: Number(inode),
    });
  }
  return rows;
}

function parseHost(hex: string, endianness: 'LE' | 'BE'): string {
  const bytes = Buffer.from(hex, 'hex');
  if (endianness === 'LE') bytes.swap32();
  if (bytes.length === 4) return bytes.join('.');
  const groups = [0, 2, 4, 6, 8, 10, 12, 14].map((offset) => bytes.readUInt16BE(offset).toString(16)).join(':');
  const { address } = new SocketAddress({ address: groups, family: 'ipv6' });
  return address.replace(/^::ffff:(?=\d+\.)/, '');
}

/** All of them, first those of the user whose the socket is. */
function processesOf(uid: number, proc: string): number[] {
  const pids = (orNothing(() => readdirSync(proc)) ?? []).filter((name) => /^\d+$/.test(name)).map(Number);
  const foreign = new Map(pids.map((pid) => [pid, orNothing(() => statSync(`${proc}/${pid}`).uid) === uid ? 0 : 1]));
  return pids.sort((a, b) => (foreign.get(a) ?? 1) - (foreign.get(b) ?? 1) || a - b);
}

interface Found {
  readonly pid: number | null;
  /** Whom nobody has looked at. */
  readonly left: readonly number[];
}

/** Several may hold the socket; the lowest number is most likely the one that opened it. */
async function findHolder(
  inode: number,
  pids: readonly number[],
  { proc, mostFiles }: { readonly proc: string; readonly mostFiles: number },
): Promise<Found> {
  let files = 0;
  for (const [index, pid] of pids.entries()) {
    if (files >= mostFiles) return { pid: null, left: pids.slice(index) };
    // One whose files may not be seen takes its time as well.
    files += 1;
    for (const fd of orNothing(() => readdirSync(`${proc}/${pid}/fd`)) ?? []) {
      files += 1;
      if (files % SLICE_FILES === 0) await nextTurn();
      if (orNothing(() => readlinkSync(`${proc}/${pid}/fd/${fd}`)) === `socket:[${inode}]`) return { pid, left: [] };
    }
  }
  return { pid: null, left: [] };
}

/** Processes come and go, and most of them may not be looked into. */
function orNothing<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

/** The start of a command line, fit for a terminal; null where it cannot be read. */
export async function readCommand(path: string): Promise<string | null> {
  try {
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(COMMAND_READ_BYTES), 0, COMMAND_READ_BYTES, 0);
      const [program = '', ...args] = buffer.toString('utf8', 0, bytesRead).split('\0');
      // The folder of the program says little and would take up most of the room.
      const text = [program.startsWith('/') ? basename(program) : program, ...args].join(' ');
      // It goes to a terminal: nothing in it may steer that.
      const harmless = text.replace(/[\p{Cc}\p{Cf}]/gu, '').trim();
      return [...harmless].slice(0, COMMAND_CHARACTERS).join('') || null;
    } finally {
      await file.close();
    }
  } catch {
    return null;
  }
}

async function readOrEmpty(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
