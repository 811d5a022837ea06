/**
 * Addresses of ours that get in each other's way: a look at 127.0.0.1 beside a served 0.0.0.0, another host after a restart.
 * Of two that overlap the kernel gives a connection to the narrower one, and without SO_REUSEPORT it refuses the second.
 */
import type { AddressKey } from '../../protocol/worker.js';
import type { SocketId } from '../state/types.js';
import { acceptorOf, inSlot, isListenedOn } from './acceptors.js';
import { coversKey, overlapsKey } from './overlap.js';
import { close, isHeldByOthers } from './retirement.js';
import type { Acceptor, Contest, TableDraft } from './types.js';

/** A look at a port is over after some milliseconds; who listens for longer means it. */
export const LOOK_MS = 1_000;
/** What is to be closed takes a moment where others hold it, too. */
const RETRY_MS = 100;

/** Asked anew when the socket could not be opened after all: it has all the time that is left of its first try. */
export function contest({ table, now }: TableDraft, { worker, key }: { worker: number; key: AddressKey }): void {
  const known = table.contests.find((other) => other.worker === worker && other.key === key);
  if (known === undefined) {
    table.contests.push({ worker, key, since: now, notBefore: now, decided: false, refusedFor: null });
    return;
  }
  known.decided = false;
  known.notBefore = now + RETRY_MS;
}

export function settleContests(draft: TableDraft): void {
  const { table } = draft;
  const isThere = ({ worker }: Contest) => isComing(acceptorOf(table.acceptors, worker));
  if (table.contests.length === 0) return;
  table.contests = table.contests.filter(isThere);
  for (const one of table.contests) {
    const { refusedFor } = one;
    if (refusedFor !== null && !table.sockets.some((socket) => isSameSocket(socket, refusedFor))) {
      one.refusedFor = null;
      one.decided = false;
    }
    if (!one.decided && draft.now >= one.notBefore) settle(draft, one);
  }
}

function settle(draft: TableDraft, one: Contest): void {
  const { table, effects, now } = draft;
  const { worker, key } = one;
  const rivals = table.sockets.filter((socket) => isInTheWay(socket, key));
  const open = () => {
    one.decided = true;
    effects.push({ do: 'openContested', worker, key });
  };
  if (rivals.length === 0) {
    open();
    return;
  }
  if (now < one.since + LOOK_MS) return;
  const served = rivals.find((rival) => isListenedOn(table.acceptors, rival.key));
  if (served !== undefined) {
    one.decided = true;
    one.refusedFor = { slot: served.slot, key: served.key };
    refuse(draft, one, served);
    return;
  }
  // What is still held is about to be listened on, or closed.
  if (rivals.some((rival) => rival.holders.length > 0 || isHeldByOthers(rival))) return;
  // Left from before a restart. Each slot has its own, and both can be bound: the old ones go when nobody can come for them.
  const shared = rivals.filter(({ slot }) => slot === null);
  for (const rival of shared) close(draft, rival);
  table.sockets = table.sockets.filter((socket) => !shared.includes(socket));
  open();
}

/** One that serves on other addresses goes on to: it has changed its mind about this one. */
function refuse({ table, effects }: TableDraft, { worker, key }: Contest, { slot, key: present }: SocketId): void {
  const why =
    slot === null
      ? `${present} is served, and without SO_REUSEPORT both cannot be open at a time`
      : `it is a part of ${present}, which is served, and would take its connections`;
  const reason = `cannot listen on ${key}: ${why} — addresses are changed by restart`;
  if (acceptorOf(table.acceptors, worker)?.standing !== 'serving') {
    effects.push({ do: 'refuseContested', worker, key, reason });
    return;
  }
  const fields = { worker, address: key, reason };
  effects.push({ do: 'report', level: 'warn', message: 'worker cannot listen', fields });
}

function isSameSocket(one: SocketId, other: SocketId): boolean {
  return one.slot === other.slot && one.key === other.key;
}

/** One of a slot is in the way of what it covers, and would lose that; one that all share, of all that overlaps. */
function isInTheWay({ slot, key: present }: SocketId, key: AddressKey): boolean {
  if (present === key) return false;
  return slot === null ? overlapsKey(present, key) : coversKey(present, key);
}

/**
 * A worker that listens on an address which takes in that of an older socket of its slot accepts there as well: the kernel
 * goes on to give that one what is for it, and it cannot be closed without loss.
 */
export function widen({ table, effects }: TableDraft): void {
  const { acceptors, sockets } = table;
  for (const socket of sockets) {
    const { slot, key, served, widened, holders } = socket;
    if (slot === null || !served) continue;
    for (const worker of inSlot(acceptors, slot)) {
      // One that is not ready may only be looking, and would accept what it does not serve.
      const isReady = worker.standing === 'serving' || worker.standing === 'held';
      if (!isReady || worker.listening.includes(key) || widened.includes(worker.id)) continue;
      const under = worker.listening.find((wide) => coversKey(wide, key));
      if (under === undefined) continue;
      socket.widened = [...widened, worker.id];
      socket.holders = [...holders, worker.id];
      effects.push({ do: 'widen', worker: worker.id, socket: { slot, key }, under });
    }
  }
}

function isComing(worker: Acceptor | undefined): worker is Acceptor {
  return worker !== undefined && worker.standing !== 'leaving' && worker.standing !== 'ended';
}
