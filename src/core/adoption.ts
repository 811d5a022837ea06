/**
 * Who accepts on which socket: every socket in custody whose own slot has nobody is adopted by a sibling, and sockets
 * that no worker will ever accept on again are closed.
 */
import { isLive, isSettled, report, sameSocket, workersOf } from './state.js';
import type { Draft, SocketId, State, Worker } from './types.js';

export function arrangeAdoption(draft: Draft): void {
  const { state } = draft;
  for (const socket of state.sockets) {
    if (socket.slot === null) continue;
    const adopters = state.workers.filter((worker) => worker.adopted.some((own) => sameSocket(own, socket)));
    if (hasOwnAcceptor(state, socket)) {
      for (const worker of adopters) release(draft, worker, socket);
    } else if (adopters.length === 0) {
      adopt(draft, socket);
    }
  }
}

/** Only while nothing is on its way: a socket whose worker is just being replaced must keep its queue. */
export function closeUnused(draft: Draft): void {
  const { state } = draft;
  if (state.phase !== 'running' || state.rollout.state === 'running' || state.rollout.state === 'rollingBack') return;
  if (!isSettled(state)) return;
  const unused = state.sockets.filter((socket) => !isServed(state, socket));
  for (const socket of unused) {
    draft.effects.push({ do: 'closeSocket', socket });
    report(draft, 'info', 'socket closed', { slot: socket.slot, address: socket.key });
  }
  if (unused.length > 0) state.sockets = state.sockets.filter((socket) => !unused.includes(socket));
}

function hasOwnAcceptor(state: State, socket: SocketId): boolean {
  if (socket.slot === null) return true;
  return workersOf(state, socket.slot).some((worker) => isLive(worker) && worker.listening.includes(socket.key));
}

function isServed(state: State, socket: SocketId): boolean {
  return state.workers.some((worker) => {
    if (worker.adopted.some((own) => sameSocket(own, socket))) return true;
    const own = socket.slot === null || worker.slot === socket.slot;
    return own && isLive(worker) && worker.listening.includes(socket.key);
  });
}

function adopt(draft: Draft, socket: SocketId): void {
  const able = draft.state.workers.filter((worker) => worker.state === 'ready' && worker.listening.includes(socket.key));
  able.sort((a, b) => a.adopted.length - b.adopted.length || a.id - b.id);
  const [worker] = able;
  if (worker === undefined) return;
  worker.adopted.push(socket);
  draft.effects.push({ do: 'adopt', worker: worker.id, socket });
  report(draft, 'debug', 'socket adopted', { worker: worker.id, slot: socket.slot, address: socket.key });
}

function release(draft: Draft, worker: Worker, socket: SocketId): void {
  worker.adopted = worker.adopted.filter((own) => !sameSocket(own, socket));
  draft.effects.push({ do: 'release', worker: worker.id, socket });
}
