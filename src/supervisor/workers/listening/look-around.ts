/**
 * Finds out what a worker does that listens on nothing that it was given: reads in /proc who else listens of its session, to
 * which all belong that it has started. Elsewhere than Linux nothing is seen.
 *
 * Must never throw.
 */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { describeFoundListeners, type FoundListener } from '../../../core/found-listeners.js';
import { formatAddress } from '../../../sockets/address/address.js';
import { parseProcNetTcp, readCommand, TCP_LISTEN } from '../../../sockets/address/owner.js';

/** Files that are open at the same time: others need descriptors meanwhile. */
const AT_A_TIME = 16;
/** `TCP_CLOSE` of `include/net/tcp_states.h`, which it is there. */
const UDP_UNCONNECTED = 7;

/** In words, with what to do; null where nothing is to be seen. @param pid of the worker, which leads its session */
export async function whatIsSeenOf(pid: number | undefined): Promise<string | null> {
  return pid === undefined ? null : describeFoundListeners(await lookAround(pid));
}

/** @param pid of the worker, which leads its session */
export async function lookAround(pid: number, proc = '/proc'): Promise<FoundListener[]> {
  const [rows, known, members] = await Promise.all([
    listening(`${proc}/${pid}/net`, proc),
    inodesOf(`${proc}/self`),
    sessionOf(pid, proc),
  ]);
  const listeners: FoundListener[] = [];
  const seen = new Set(known);
  for (const member of members) {
    const inodes = await inodesOf(`${proc}/${member}`);
    for (const { inode, address } of rows) {
      if (!inodes.has(inode) || seen.has(inode)) continue;
      seen.add(inode);
      const child = member === pid ? null : { pid: member, command: await readCommand(`${proc}/${member}/cmdline`) };
      listeners.push({ child, address });
    }
  }
  return listeners;
}

/** A socket for datagrams on a port that the kernel may have chosen is taken for one that only asks. */
async function listening(net: string, proc: string): Promise<{ readonly inode: number; readonly address: string }[]> {
  const read = (path: string) => readFile(path, 'utf8').catch(() => '');
  const [tcp, tcp6, udp, udp6, range] = await Promise.all([
    ...['tcp', 'tcp6', 'udp', 'udp6'].map((name) => read(`${net}/${name}`)),
    read(`${proc}/sys/net/ipv4/ip_local_port_range`),
  ]);
  const [first = 0, last = 0] =
    /^(\d+)\s+(\d+)/
      .exec(range ?? '')
      ?.slice(1)
      .map(Number) ?? [];
  const rows = (...texts: (string | undefined)[]) => texts.flatMap((text) => parseProcNetTcp(text ?? ''));
  return [
    ...rows(tcp, tcp6)
      .filter(({ state }) => state === TCP_LISTEN)
      .map(({ inode, host, port }) => ({ inode, address: formatAddress(host, port) })),
    ...rows(udp, udp6)
      .filter(({ state, port }) => state === UDP_UNCONNECTED && (port < first || port > last))
      .map(({ inode, host, port }) => ({ inode, address: `udp ${formatAddress(host, port)}` })),
  ];
}

/** The worker first. */
export async function sessionOf(pid: number, proc: string): Promise<number[]> {
  const names = await readdir(proc).catch(() => []);
  const pids = names.filter((name) => /^\d+$/.test(name)).map(Number);
  const members: number[] = [];
  for (let from = 0; from < pids.length; from += AT_A_TIME) {
    const some = pids.slice(from, from + AT_A_TIME);
    const sessions = await Promise.all(some.map((candidate) => readSession(`${proc}/${candidate}/stat`)));
    members.push(...some.filter((candidate, i) => candidate !== pid && sessions[i] === pid));
  }
  return [pid, ...members];
}

async function readSession(file: string): Promise<number> {
  const stat = await readFile(file, 'utf8').catch(() => '');
  // The command may have any character: fields are counted from behind it. State, parent, group, session: proc(5).
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]);
}

/** Of the sockets that a process has open. @param dir of it in /proc */
export async function inodesOf(dir: string): Promise<Set<number>> {
  const fds = await readdir(`${dir}/fd`).catch(() => []);
  const targets = await Promise.all(fds.map((fd) => readlink(`${dir}/fd/${fd}`).catch(() => '')));
  return new Set(targets.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []).map(Number));
}
