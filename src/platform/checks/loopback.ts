/**
 * Sockets and connections on 127.0.0.1, for the checks that try something. Whoever opens a group closes it.
 *
 * Nothing of this stays: unless it is asked for, no connection is left in TIME_WAIT.
 */
import { once } from 'node:events';
import { getSystemErrorName } from 'node:util';
import type { NativeLoad } from '../../native/libc.js';
import { type BoundSocket, bindSocket, type ReusePortHow } from '../../sockets/bind/bind.js';
import { connectUntil } from '../connect.js';

export const LOOPBACK = { host: '127.0.0.1', family: 4, ipv6Only: false, ordinal: 0 } as const;
const BACKLOG = 128;

/** Sockets that listen on one port. Each connection is accepted, counted, and closed by this side. */
export interface Listening {
  readonly port: number;
  /** In the order in which they began to listen, which is that of the kernel's group. */
  readonly sockets: readonly BoundSocket[];
  /** How many connections each of them got so far. */
  readonly received: readonly number[];
  close(): void;
}

/**
 * @param port 0 for one that is free
 * @throws BindError, or an Error where a socket cannot listen; nothing is left open then
 */
export function listenOnLoopback(port: number, count: number, how: ReusePortHow, native: NativeLoad): Listening {
  const sockets: BoundSocket[] = [];
  const received: number[] = [];
  const close = () => {
    for (const { handle } of sockets) handle.close();
  };
  try {
    while (sockets.length < count) {
      const socket = bindSocket({ ...LOOPBACK, port: sockets[0]?.port ?? port }, how, native);
      const index = sockets.push(socket) - 1;
      received.push(0);
      socket.handle.onconnection = (_status, client) => {
        received[index]! += 1;
        client?.close();
      };
      const errno = socket.handle.listen(BACKLOG);
      if (errno !== 0) throw new Error(`cannot listen on ${LOOPBACK.host}: ${getSystemErrorName(errno)}`);
    }
    return { port: sockets[0]!.port, sockets, received, close };
  } catch (error) {
    close();
    throw error;
  }
}

export interface Visit {
  readonly port: number;
  /** The client's own address; the system's choice without it. */
  readonly from?: string;
  /** What remains of the connection: nothing, or TIME_WAIT on the other side, which closes first. */
  readonly leave: 'nothing' | 'timeWait';
  readonly signal: AbortSignal;
}

/** Connects, and resolves when the other side has closed. Rejects with what the system says. */
export async function visit({ port, from, leave, signal }: Visit): Promise<void> {
  // Node would connect all the same, and nobody would close it.
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const reset = leave === 'nothing';
    const local = from === undefined ? {} : { localAddress: from };
    const socket = connectUntil(signal, { host: LOOPBACK.host, port, allowHalfOpen: reset, ...local });
    socket.on('error', reject);
    // Against a side that has closed already, a reset ends the connection without a trace.
    if (reset) socket.on('end', () => socket.resetAndDestroy());
    socket.on('close', () => resolve());
    socket.resume();
  });
}

/**
 * Opens connections and leaves them open. Rejects with what the system says; all are closed then.
 *
 * @returns what closes them
 */
export async function connections(count: number, port: number, signal: AbortSignal): Promise<() => void> {
  signal.throwIfAborted();
  const sockets = Array.from({ length: count }, () =>
    // For the time when nobody waits any longer: the other side may end it with a reset.
    connectUntil(signal, { host: LOOPBACK.host, port }).on('error', () => {}),
  );
  const close = () => {
    for (const socket of sockets) socket.destroy();
  };
  try {
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    return close;
  } catch (error) {
    close();
    throw error;
  }
}

/** Many visits, `together` of them at a time. Rejects with the first that fails. */
export async function visits(count: number, together: number, how: Visit): Promise<void> {
  for (let done = 0; done < count; done += together) {
    const batch = Math.min(together, count - done);
    await Promise.all(Array.from({ length: batch }, () => visit(how)));
  }
}
