/** The end of a socket: one whose slot has gone, or on which no worker will ever accept again. */
import { hasOwnAcceptor, isListenedOn, isWantedSlot, owners, seatsOf } from './acceptors.js';
import { release } from './adoption.js';
import { adoptersOf } from './loans.js';
import type { Acceptors, HeldSocket, SocketTable, TableDraft } from './types.js';

/**
 * From when a socket is steered to zero until it is closed. A client whose SYN came before belongs to that socket, and
 * is not in its queue until its ACK has come: over a bad line, after the SYN-ACK was sent a second and a third time
 * (1 s and 3 s: RFC 6298).
 */
export const HANDSHAKE_MS = 5_000;

/** A socket that is wanted again, be it for a moment and in whatever stage, gets new connections: its time begins anew. */
export function keepWanted({ acceptors, sockets }: SocketTable): void {
  for (const socket of sockets) {
    if (!isRetired(acceptors, socket)) {
      socket.retiredSince = null;
      socket.closing = false;
    }
  }
}

/**
 * A socket of a slot beyond the size, where it can be steered to zero: emptied by a sibling, then closed.
 *
 * One at a time for each address. When a socket leaves its group the last one takes over its index; until the program
 * for the new order is attached, the old one may name an index that is no more, and the kernel then takes any socket of
 * the group. If that is one whose end has come, too, a connection is lost: so the others are given their time anew.
 */
export function closeRetired(draft: TableDraft): void {
  const { table, now } = draft;
  if (!table.steered) return;
  const { acceptors } = table;
  const closing = new Map(table.sockets.filter((socket) => socket.closing).map((socket) => [socket.key, socket]));
  table.sockets = table.sockets.filter((socket) => {
    if (!isRetired(acceptors, socket)) return true;
    socket.retiredSince ??= now;
    if (now < socket.retiredSince + HANDSHAKE_MS || socket.congested) return true;
    // In its last moments as well: it holds the socket until it has gone.
    if (owners(acceptors, socket.slot).length > 0) return true;
    if ((closing.get(socket.key) ?? socket) !== socket) return true;
    socket.closing = true;
    closing.set(socket.key, socket);
    // Whoever accepts on a socket that goes would get an error for a connection: all let go of it first.
    for (const worker of adoptersOf(socket)) release(draft, worker, socket);
    if (isHeldByOthers(socket)) return true;
    close(draft, socket);
    for (const other of table.sockets) {
      if (other !== socket && other.key === socket.key && other.retiredSince !== null) other.retiredSince = now;
    }
    return false;
  });
}

/**
 * One on which nobody listens: what waits in it is refused rather than left to wait. At once, unless somebody may come for it,
 * which is nobody where no client has ever been served: an application has looked whether the port is free.
 */
export function closeUnused(draft: TableDraft): void {
  const { table, now } = draft;
  const { acceptors } = table;
  table.sockets = table.sockets.filter((socket) => {
    const patienceMs = patienceWith(acceptors, socket);
    if (patienceMs === null) {
      socket.unusedSince = null;
      return true;
    }
    socket.unusedSince ??= now;
    if (now < socket.unusedSince + patienceMs) return true;
    close(draft, socket);
    return false;
  });
}

/** null where it is used, or there is somebody to wait for. */
export function patienceWith(acceptors: Acceptors, socket: HeldSocket): number | null {
  const isUsed = socket.holders.length > 0 || isHeldByOthers(socket) || hasOwnAcceptor(acceptors, socket);
  if (isUsed) return null;
  const { served, fromBefore, key } = socket;
  // Siblings that listen there have what waits in it, if they can: then it is on loan.
  if (fromBefore || isListenedOn(acceptors, key)) return acceptors.settled ? acceptors.patienceMs : null;
  if (!served) return 0;
  // Of a slot that has gone siblings take what waits, also those that are yet to come.
  const seats = isRetired(acceptors, socket) ? acceptors.seats : seatsOf(acceptors, socket);
  if (seats.some(({ isAwaiting }) => isAwaiting)) return null;
  return seats.some(({ expected }) => expected.includes(key)) ? acceptors.patienceMs : 0;
}

function isRetired(acceptors: Acceptors, socket: HeldSocket): socket is HeldSocket & { slot: number } {
  return socket.slot !== null && !isWantedSlot(acceptors, socket.slot);
}

export function isHeldByOthers({ loans }: HeldSocket): boolean {
  return loans.some(({ state }) => state !== 'refused');
}

export function close({ effects }: TableDraft, { slot, key }: HeldSocket): void {
  effects.push({ do: 'closeSocket', socket: { slot, key } });
  effects.push({ do: 'report', level: 'info', message: 'socket closed', fields: { slot, address: key } });
}
