/**
 * Who accepts for whom: what waits in a socket whose own slot has nobody, or nobody who gets round to it, is accepted by
 * a sibling as well.
 */
import type { SocketId } from '../state/types.js';
import { hasOwnAcceptor, inSlot } from './acceptors.js';
import { adoptersOf, changeLoans } from './loans.js';
import type { Acceptor, HeldSocket, TableDraft } from './types.js';

export function arrangeAdoption(draft: TableDraft): void {
  const { acceptors, sockets } = draft.table;
  const load = new Load(sockets);
  for (const socket of sockets) {
    // Shared by all slots: there is nothing to adopt.
    if (socket.slot === null) continue;
    if (socket.helpers.length > 0) {
      adopt(draft, socket, helperFor(draft, socket, load), load);
      // Named for this moment. If they are no help they will be named again, or others.
      socket.helpers = [];
    }
    const alone = !hasOwnAcceptor(acceptors, socket);
    if (alone) {
      if (socket.listened && !socket.closing && adoptersOf(socket).length === 0) {
        adopt(draft, socket, anybodyFor(draft, socket, load), load);
      }
    } else if (!socket.congested && socket.loans.length > 0) {
      for (const worker of adoptersOf(socket)) release(draft, worker, socket);
    }
  }
}

/** Asks a worker to let go of a socket. */
export function release({ effects }: TableDraft, worker: number, socket: HeldSocket): void {
  changeLoans(socket, worker, 'recalled');
  effects.push({ do: 'release', worker, socket: identify(socket) });
}

/** The first of the helpers that are named who can. */
function helperFor({ table }: TableDraft, socket: HeldSocket, load: Load): Acceptor | undefined {
  for (const slot of socket.helpers) {
    const able = inSlot(table.acceptors, slot).filter((worker) => canAdopt(worker, socket));
    if (able.length > 0) return load.least(able);
  }
  return undefined;
}

/** One whose own queue does not empty is better than nobody. */
function anybodyFor({ table }: TableDraft, socket: HeldSocket, load: Load): Acceptor | undefined {
  const able = table.acceptors.workers.filter((worker) => canAdopt(worker, socket));
  const free = able.filter(({ slot }) => !load.isStuck(slot, socket.key));
  return load.least(free.length > 0 ? free : able);
}

function canAdopt({ id, slot, standing, listening }: Acceptor, socket: HeldSocket): boolean {
  if (standing !== 'serving' || slot === socket.slot || !listening.includes(socket.key)) return false;
  return !socket.loans.some(({ worker, state }) => worker === id && state !== 'releasing');
}

function adopt({ effects }: TableDraft, held: HeldSocket, worker: Acceptor | undefined, load: Load): void {
  if (worker === undefined) return;
  const { id } = worker;
  const socket = identify(held);
  held.closing = false;
  held.loans.push({ worker: id, state: 'adopted' });
  load.add(id);
  effects.push({ do: 'adopt', worker: id, socket });
  const fields = { worker: id, slot: socket.slot, address: socket.key };
  effects.push({ do: 'report', level: 'debug', message: 'socket adopted', fields });
}

/** How much each worker has to do for others, and for itself; looked up when it is needed, which is seldom. */
class Load {
  readonly #sockets: readonly HeldSocket[];
  #adopted: Map<number, number> | undefined;
  #stuck: Set<string> | undefined;

  constructor(sockets: readonly HeldSocket[]) {
    this.#sockets = sockets;
  }

  /** Who has adopted the least. */
  least(workers: readonly Acceptor[]): Acceptor | undefined {
    const counts = this.#counts();
    let best: Acceptor | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    for (const worker of workers) {
      const count = counts.get(worker.id) ?? 0;
      if (count > fewest || (count === fewest && best !== undefined && best.id < worker.id)) continue;
      best = worker;
      fewest = count;
    }
    return best;
  }

  add(worker: number): void {
    const counts = this.#counts();
    counts.set(worker, (counts.get(worker) ?? 0) + 1);
  }

  /** The queue of the slot itself does not empty either. */
  isStuck(slot: number, key: string): boolean {
    this.#stuck ??= new Set(
      this.#sockets.filter(({ congested }) => congested).map((held) => `${held.slot} ${held.key}`),
    );
    return this.#stuck.has(`${slot} ${key}`);
  }

  #counts(): Map<number, number> {
    if (this.#adopted !== undefined) return this.#adopted;
    const counts = new Map<number, number>();
    for (const socket of this.#sockets) {
      for (const worker of adoptersOf(socket)) counts.set(worker, (counts.get(worker) ?? 0) + 1);
    }
    this.#adopted = counts;
    return counts;
  }
}

function identify({ slot, key }: SocketId): SocketId {
  return { slot, key };
}
