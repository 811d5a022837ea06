/** The end of a socket: one whose slot has gone, or on which no worker will ever accept again. */
import { hasAdopted, hasOwnAcceptor, release } from './adoption.js';
import { seats } from './standing.js';
import { isSettled, isWantedSlot, report, sameSocket, targetPolicy, workersOf } from './state.js';
import type { Draft, HeldSocket, State, Worker } from './types.js';

/**
 * From when a socket is steered to zero until it is closed. A client whose SYN came before belongs to that socket, and
 * is not in its queue until its ACK has come: over a bad line, after the SYN-ACK was sent a second and a third time
 * (1 s and 3 s: RFC 6298).
 */
export const HANDSHAKE_MS = 5_000;

/**
 * A socket of a slot beyond the size, where it can be steered to zero: emptied by a sibling, then closed.
 *
 * One at a time for each address. When a socket leaves its group the last one takes over its index; until the program
 * for the new order is attached, the old one may name an index that is no more, and the kernel then takes any socket of
 * the group. If that is one whose end has come, too, a connection is lost: so the others are given their time anew.
 */
export function closeRetired(draft: Draft): void {
  const { state, now } = draft;
  if (!state.steered) return;
  state.sockets = state.sockets.filter((socket) => {
    if (socket.slot === null || isWantedSlot(state, socket.slot)) {
      socket.retiredSince = null;
      socket.closing = false;
      return true;
    }
    socket.retiredSince ??= now;
    if (now < socket.retiredSince + HANDSHAKE_MS || socket.congested || hasOwnWorker(state, socket)) return true;
    if (state.sockets.some((other) => other !== socket && other.key === socket.key && other.closing)) return true;
    socket.closing = true;
    // Whoever accepts on a socket that goes would get an error for a connection: all let go of it first.
    for (const worker of state.workers) if (hasAdopted(worker, socket)) release(draft, worker, socket);
    if (state.workers.some((worker) => worker.releasing.some((other) => sameSocket(other, socket)))) return true;
    close(draft, socket);
    for (const other of state.sockets) {
      if (other !== socket && other.key === socket.key && other.retiredSince !== null) other.retiredSince = now;
    }
    return false;
  });
}

/**
 * Only while nothing is on its way, and after the time that an application gets to become ready: a worker that was
 * just started, or just given the socket, may still come to listen on it, and connections may already wait there.
 */
export function closeUnused(draft: Draft): void {
  const { state, now } = draft;
  const atRest = state.rollout.state !== 'running' && state.rollout.state !== 'rollingBack';
  const quiet = state.phase === 'running' && atRest && isSettled(state);
  const patienceMs = targetPolicy(state).readyTimeoutMs;
  // Few: those on their way out, and those that have adopted something.
  const others = state.workers.filter(
    (worker) => !seats(worker) || worker.adopted.length > 0 || worker.releasing.length > 0,
  );
  const isServed = (socket: HeldSocket) =>
    hasOwnAcceptor(state, socket) || others.some((w) => hasAdopted(w, socket) || mayStillHold(w, socket));
  state.sockets = state.sockets.filter((socket) => {
    if (!quiet || isServed(socket)) {
      socket.unusedSince = null;
      return true;
    }
    socket.unusedSince ??= now;
    if (now < socket.unusedSince + patienceMs) return true;
    close(draft, socket);
    return false;
  });
}

/** In its last moments as well: it holds the socket until it has gone. */
function hasOwnWorker(state: State, { slot }: HeldSocket): boolean {
  return slot === null ? state.workers.length > 0 : workersOf(state, slot).length > 0;
}

/** On its way out, which can be long: one that did not hear of it accepts until it ends. */
function mayStillHold(worker: Worker, socket: HeldSocket): boolean {
  if (worker.ended) return false;
  const isOwn = socket.slot === null || worker.slot === socket.slot;
  return (isOwn && !seats(worker)) || worker.releasing.some((other) => sameSocket(other, socket));
}

function close(draft: Draft, { slot, key }: HeldSocket): void {
  draft.effects.push({ do: 'closeSocket', socket: { slot, key } });
  report(draft, 'info', 'socket closed', { slot, address: key });
}
