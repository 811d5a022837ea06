/** Takes the listening sockets of a worker that does not answer: its loop is stuck, and what waits in them is not lost with it. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { NativeLoad } from '../../native/libc.js';
import type { Peers } from '../../native/peers.js';

const LISTEN = '0A';

/** @returns why they cannot be had; null where they have been taken */
export function seizeFrom<Orphan extends { readonly pid: number }>(
  orphan: Orphan | undefined,
  native: NativeLoad,
  onTaken: (fd: number, orphan: Orphan) => void,
): string | null {
  const peers = native.ok ? native.native.peers() : null;
  if (orphan === undefined || peers === null) return native.ok ? 'this system does not let us' : native.reason;
  try {
    seizeSockets(peers, orphan.pid, (fd) => onTaken(fd, orphan));
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * @param onTaken told of each descriptor of this process, which is the callee's: one for each socket
 * @throws where they may not be had
 */
export function seizeSockets(peers: Peers, pid: number, onTaken: (fd: number) => void, proc = '/proc'): void {
  const listening = new Set(['tcp', 'tcp6'].flatMap((name) => listeningInodes(`${proc}/${pid}/net/${name}`)));
  for (const fd of readdirSync(`${proc}/${pid}/fd`)) {
    const inode = /^socket:\[(\d+)\]$/.exec(linkAt(`${proc}/${pid}/fd/${fd}`))?.[1];
    // Twice, where it has it twice.
    if (inode === undefined || !listening.delete(inode)) continue;
    onTaken(peers.takeDescriptor(pid, Number(fd)));
  }
}

/** Fields 4 and 10 of proc_net_tcp(5): the state, and the number by which a descriptor names the socket. */
function listeningInodes(file: string): string[] {
  let text: string;
  try {
    text = readFileSync(file, 'latin1');
  } catch {
    return [];
  }
  const rows = text.split('\n').map((line) => line.trim().split(/\s+/));
  return rows.flatMap((row) => (row[3] === LISTEN && row[9] !== undefined ? [row[9]] : []));
}

function linkAt(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}
