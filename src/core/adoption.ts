/**
 * Who accepts on which socket: every socket in custody whose own slot has nobody is adopted by a sibling, and sockets
 * that no worker will ever accept on again are closed.
 */
import { isLive, isSettled, report, sameSocket, targetPolicy, workersOf } from './state.js';
import type { Draft, HeldSocket, SocketId, State, Worker } from './types.js';

export function arrangeAdoption(draft: Draft): void {
  const { state } = draft;
  for (const socket of state.sockets) {
    const adopters = state.workers.filter((worker) => hasAdopted(worker, socket));
    if (hasOwnAcceptor(state, socket)) {
      for (const worker of adopters) release(draft, worker, socket);
    } else if (socket.listened && adopters.length === 0) {
      adopt(draft, socket);
    }
  }
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
  state.sockets = state.sockets.filter((socket) => {
    if (!quiet || isServed(state, socket)) {
      socket.unusedSince = null;
      return true;
    }
    socket.unusedSince ??= now;
    if (now < socket.unusedSince + patienceMs) return true;
    draft.effects.push({ do: 'closeSocket', socket: identify(socket) });
    report(draft, 'info', 'socket closed', { slot: socket.slot, address: socket.key });
    return false;
  });
}

/** A worker listens on the address: on the socket of its slot, or on the one that all share. */
export function markListened(state: State, worker: Worker, key: string): void {
  for (const socket of state.sockets) {
    if (socket.key === key && (socket.slot === null || socket.slot === worker.slot)) socket.listened = true;
  }
}

function hasOwnAcceptor(state: State, socket: SocketId): boolean {
  // Shared by all slots: there is nothing to adopt.
  if (socket.slot === null) return true;
  return workersOf(state, socket.slot).some((worker) => isLive(worker) && worker.listening.includes(socket.key));
}

function isServed(state: State, socket: SocketId): boolean {
  return state.workers.some((worker) => {
    if (hasAdopted(worker, socket)) return true;
    const own = socket.slot === null || worker.slot === socket.slot;
    return own && isLive(worker) && worker.listening.includes(socket.key);
  });
}

function hasAdopted(worker: Worker, socket: SocketId): boolean {
  return worker.adopted.some((adopted) => sameSocket(adopted, socket));
}

function adopt(draft: Draft, held: HeldSocket): void {
  const socket = identify(held);
  const able = draft.state.workers.filter(
    (worker) => worker.state === 'ready' && worker.listening.includes(socket.key),
  );
  able.sort((a, b) => a.adopted.length - b.adopted.length || a.id - b.id);
  const [worker] = able;
  if (worker === undefined) return;
  worker.adopted.push(socket);
  draft.effects.push({ do: 'adopt', worker: worker.id, socket });
  report(draft, 'debug', 'socket adopted', { worker: worker.id, slot: socket.slot, address: socket.key });
}

function release(draft: Draft, worker: Worker, held: HeldSocket): void {
  worker.adopted = worker.adopted.filter((socket) => !sameSocket(socket, held));
  draft.effects.push({ do: 'release', worker: worker.id, socket: identify(held) });
}

function identify({ slot, key }: SocketId): SocketId {
  return { slot, key };
}
