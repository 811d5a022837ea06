/**
 * Whether a program accepts. All workers share a socket, so that a connection which is answered says nothing of this one: so
 * connections are opened until the kernel has given one to it, as /proc tells. Linux only.
 *
 * Nothing is sent on them; those that others have accepted are closed again.
 */
import { readFile } from 'node:fs/promises';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { inodesOf, sessionOf } from '../workers/listening/look-around.js';

export interface Place {
  readonly host: string;
  readonly port: number;
}

/** From one look to the next: the first, and the longest. */
const LOOK_MS = 25;
const LONGEST_LOOK_MS = 200;
/** More at a time would be a load to those that serve. */
const MOST_OPEN = 16;

/**
 * Opens connections until the worker has accepted one, which is the caller's; they wait in the queue until somebody takes them.
 *
 * @param pid leads the session of the worker
 * @param sharers how many others may accept as well
 * @returns null once `signal` is aborted
 */
export async function acceptedConnection(
  pid: number,
  place: Place,
  sharers: () => number,
  signal: AbortSignal,
): Promise<net.Socket | null> {
  const open = new Set<net.Socket>();
  const to = reachable(place);
  try {
    for (let pauseMs = LOOK_MS; !signal.aborted; pauseMs = Math.min(LONGEST_LOOK_MS, pauseMs * 1.5)) {
      // Enough at once that those who are faster cannot take all of them; one where there is nobody else.
      const wanted = sharers() === 0 ? 1 : Math.min(MOST_OPEN, 2 * sharers() + 2);
      while (open.size < wanted) connect(to, open);
      await delay(pauseMs, undefined, { signal }).catch(() => {});
      const inodes = await inodesByPort(to.port);
      const taken = [...open].filter((socket) => (inodes.get(socket.localPort ?? 0) ?? 0) !== 0);
      if (taken.length === 0) continue;
      pauseMs = LOOK_MS;
      const own = await socketsOf(pid);
      const mine = taken.find((socket) => own.has(inodes.get(socket.localPort ?? 0) ?? 0));
      for (const socket of taken) {
        open.delete(socket);
        if (socket !== mine) socket.destroy();
      }
      if (mine !== undefined && !signal.aborted) return mine;
      mine?.destroy();
    }
    return null;
  } finally {
    for (const socket of open) socket.destroy();
  }
}

/** Where a connection reaches what listens on every address. */
export function reachable({ host, port }: Place): Place {
  if (host === '0.0.0.0') return { host: '127.0.0.1', port };
  return { host: host === '::' ? '::1' : host, port };
}

function connect(to: Place, open: Set<net.Socket>): void {
  const socket = net.connect(to);
  open.add(socket);
  const gone = () => open.delete(socket);
  socket.on('error', gone).on('close', gone);
}

/**
 * Of the connections to a port of this machine, by the port that they come from: the inode of the end that was accepted; 0 while
 * it waits in a queue. See proc_net_tcp of Linux.
 */
async function inodesByPort(port: number): Promise<Map<number, number>> {
  const texts = await Promise.all(
    ['tcp', 'tcp6'].map((name) => readFile(`/proc/self/net/${name}`, 'latin1').catch(() => '')),
  );
  return parseInodes(texts.join('\n'), port);
}

/** @param text of /proc/net/tcp and its like; what is no line of a socket is left out */
export function parseInodes(text: string, port: number): Map<number, number> {
  const inodes = new Map<number, number>();
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const line of text.split('\n')) {
    const fields = line.trim().split(/\s+/);
    const [, local = '', peer = ''] = fields;
    if (!local.endsWith(suffix)) continue;
    const peerPort = Number.parseInt(peer.slice(peer.lastIndexOf(':') + 1), 16);
    if (peerPort > 0) inodes.set(peerPort, Number(fields[9]));
  }
  return inodes;
}

/** Of the worker, and of what it has started: a program may accept in processes of its own. */
async function socketsOf(pid: number): Promise<Set<number>> {
  const members = await sessionOf(pid, '/proc');
  const sets = await Promise.all(members.map((member) => inodesOf(`/proc/${member}`)));
  return new Set(sets.flatMap((inodes) => [...inodes]));
}
