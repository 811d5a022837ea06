/** Questions to what the core has told of the workers. */
import type { SocketId } from '../state/types.js';
import type { Acceptor, Acceptors, Seat } from './types.js';

interface Index {
  readonly slots: ReadonlyMap<number, readonly Acceptor[]>;
  readonly ids: ReadonlyMap<number, Acceptor>;
}

const NOBODY: readonly Acceptor[] = [];
/** Made once for each time that the core tells. */
const indexes = new WeakMap<Acceptors, Index>();

function indexOf(acceptors: Acceptors): Index {
  const known = indexes.get(acceptors);
  if (known !== undefined) return known;
  const slots = new Map<number, Acceptor[]>();
  const ids = new Map<number, Acceptor>();
  for (const worker of acceptors.workers) {
    ids.set(worker.id, worker);
    const own = slots.get(worker.slot);
    if (own === undefined) slots.set(worker.slot, [worker]);
    else own.push(worker);
  }
  const index = { slots, ids };
  indexes.set(acceptors, index);
  return index;
}

/** undefined for one that has gone. */
export function acceptorOf(acceptors: Acceptors, worker: number): Acceptor | undefined {
  return indexOf(acceptors).ids.get(worker);
}

export function inSlot(acceptors: Acceptors, slot: number): readonly Acceptor[] {
  return indexOf(acceptors).slots.get(slot) ?? NOBODY;
}

/** Those whose own socket it is, or shall be: of a socket that is shared, all. */
export function owners(acceptors: Acceptors, slot: number | null): readonly Acceptor[] {
  return slot === null ? acceptors.workers : inSlot(acceptors, slot);
}

/** Whether a worker of its own slot accepts on it, and will go on to. */
export function hasOwnAcceptor(acceptors: Acceptors, { slot, key }: SocketId): boolean {
  return owners(acceptors, slot).some((worker) => accepts(worker) && worker.listening.includes(key));
}

/** Whether anybody listens on the address, or will as soon as it may accept: in whatever slot. */
export function isListenedOn({ workers }: Acceptors, key: string): boolean {
  return workers.some((worker) => isToAccept(worker) && worker.listening.includes(key));
}

/** Those whose worker, present or to come, may listen on it. */
export function seatsOf({ seats }: Acceptors, { slot }: SocketId): readonly Seat[] {
  return slot === null ? seats : seats.filter((seat) => seat.slot === slot);
}

export function isWantedSlot({ size, canary }: Acceptors, slot: number): boolean {
  return slot < size || slot === canary;
}

function isToAccept(worker: Acceptor): boolean {
  return accepts(worker) || worker.standing === 'held' || worker.standing === 'waiting';
}

function accepts({ standing }: Acceptor): boolean {
  return standing === 'serving' || standing === 'coming';
}
