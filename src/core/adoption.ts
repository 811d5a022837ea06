/**
 * Who accepts on which socket: what waits in a socket whose own slot has nobody, or nobody who gets round to it, is
 * accepted by a sibling as well.
 */
import { serves, standing } from './standing.js';
import { report, sameSocket, workersOf } from './state.js';
import type { Draft, Event, HeldSocket, SocketId, State, Worker } from './types.js';

export function arrangeAdoption(draft: Draft): void {
  const { state } = draft;
  /** Few: most of the time nobody has adopted anything. */
  let adopting = state.workers.filter(({ adopted }) => adopted.length > 0);
  for (const socket of state.sockets) {
    // Shared by all slots: there is nothing to adopt.
    if (socket.slot === null) continue;
    if (socket.helpers.length > 0) {
      adopt(draft, socket, (worker) => socket.helpers.indexOf(worker.slot));
      // Named for this moment. If they are no help they will be named again, or others.
      socket.helpers = [];
      adopting = state.workers.filter(({ adopted }) => adopted.length > 0);
    }
    const alone = !hasOwnAcceptor(state, socket);
    if (!alone && (socket.congested || adopting.length === 0)) continue;
    const adopters = adopting.filter((worker) => hasAdopted(worker, socket));
    if (alone && adopters.length === 0 && socket.listened && !socket.closing) {
      // One whose own queue does not empty is better than nobody.
      adopt(draft, socket, (worker) => (isStuck(state, worker, socket) ? 1 : 0));
      adopting = state.workers.filter(({ adopted }) => adopted.length > 0);
    } else if (!alone && !socket.congested) {
      for (const worker of adopters) release(draft, worker, socket);
    }
  }
}

/** Said again for as long as connections wait: one more helps each time. */
export function markCongested(draft: Draft, event: Extract<Event, { type: 'congested' }>): void {
  const held = draft.state.sockets.find((socket) => sameSocket(socket, event.socket));
  if (held === undefined) return;
  if (!held.congested) report(draft, 'debug', 'queue congested', { slot: held.slot, address: held.key });
  held.congested = true;
  held.helpers = event.helpers;
  // Connections wait there, whoever has listened on it.
  held.listened = true;
}

export function markRelieved(draft: Draft, socket: SocketId): void {
  const held = draft.state.sockets.find((candidate) => sameSocket(candidate, socket));
  if (held === undefined || !held.congested) return;
  report(draft, 'debug', 'queue relieved', { slot: held.slot, address: held.key });
  held.congested = false;
  held.helpers = [];
}

/** A worker listens on the address: on the socket of its slot, or on the one that all share. */
export function markListened(state: State, worker: Worker, key: string): void {
  for (const socket of state.sockets) {
    if (socket.key === key && (socket.slot === null || socket.slot === worker.slot)) socket.listened = true;
  }
}

/** Whether a worker of its own slot accepts on it, and will go on to. */
export function hasOwnAcceptor(state: State, { slot, key }: SocketId): boolean {
  const own: readonly Worker[] = slot === null ? state.workers : workersOf(state, slot);
  return own.some((worker) => accepts(worker) && worker.listening.includes(key));
}

/** A worker that starts may listen before it is ready. */
function accepts(worker: Worker): boolean {
  return serves(worker) || (standing(worker) === 'coming' && !worker.held);
}

export function hasAdopted(worker: Worker, socket: SocketId): boolean {
  return !worker.ended && worker.adopted.some((adopted) => sameSocket(adopted, socket));
}

export function release(draft: Draft, worker: Worker, socket: SocketId): void {
  const identity = identify(socket);
  worker.adopted = worker.adopted.filter((adopted) => !sameSocket(adopted, socket));
  worker.releasing.push(identity);
  draft.effects.push({ do: 'release', worker: worker.id, socket: identity });
}

/** @param rank the lowest is taken; one below 0 is not to be */
function adopt(draft: Draft, held: HeldSocket, rank: (worker: Worker) => number): void {
  const able = draft.state.workers.filter(
    (worker) =>
      serves(worker) &&
      worker.slot !== held.slot &&
      worker.listening.includes(held.key) &&
      !hasAdopted(worker, held) &&
      !worker.refused.some((refused) => sameSocket(refused, held)) &&
      rank(worker) >= 0,
  );
  able.sort((a, b) => rank(a) - rank(b) || a.adopted.length - b.adopted.length || a.id - b.id);
  const [worker] = able;
  if (worker === undefined) return;
  const socket = identify(held);
  held.closing = false;
  worker.adopted.push(socket);
  draft.effects.push({ do: 'adopt', worker: worker.id, socket });
  report(draft, 'debug', 'socket adopted', { worker: worker.id, slot: socket.slot, address: socket.key });
}

/** Its own queue does not empty either. */
function isStuck(state: State, { slot }: Worker, { key }: SocketId): boolean {
  return state.sockets.some((socket) => socket.congested && socket.slot === slot && socket.key === key);
}

function identify({ slot, key }: SocketId): SocketId {
  return { slot, key };
}
