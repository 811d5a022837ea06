/**
 * The table of sockets in custody, and who accepts on which: beside the core, as steering is, and apart from it. The core
 * tells it who accepts on what; what a look at the queues finds, and what adopters answer, comes here and nowhere else.
 *
 * Pure, as the core is. `supervision.ts` brings the two together.
 */
import type { SocketId } from '../state/types.js';
import { acceptorOf } from './acceptors.js';
import { arrangeAdoption } from './adoption.js';
import { contest, LOOK_MS, settleContests, widen } from './contests.js';
import { changeLoans, reviewLoans } from './loans.js';
import { closeRetired, closeUnused, HANDSHAKE_MS, keepWanted } from './retirement.js';
import type { Acceptors, HeldSocket, SocketEffect, SocketEvent, SocketTable, TableDraft } from './types.js';

export interface TableFault {
  readonly error: unknown;
  /** The event that it failed at, which is left out; null where it failed at what follows from all of them. */
  readonly event: SocketEvent | null;
}

export interface TableOutcome {
  readonly effects: readonly SocketEffect[];
  readonly faults: readonly TableFault[];
}

const NOBODY: Acceptors = {
  stage: 'up',
  size: 0,
  canary: null,
  settled: false,
  seats: [],
  patienceMs: 0,
  workers: [],
};

export function initialTable(steered: boolean): SocketTable {
  return { steered, acceptors: NOBODY, sockets: [], contests: [], steppedAt: 0 };
}

/**
 * Takes what has come, in order, then what the core tells, and settles once. Writes into `table`. Never throws: a fault
 * costs no more than the event that it comes from.
 *
 * @param told null where the core has nothing new to tell
 */
export function stepTable(
  table: SocketTable,
  events: readonly SocketEvent[],
  told: Acceptors | null,
  now: number,
): TableOutcome {
  const draft: TableDraft = { table, effects: [], now };
  const faults: TableFault[] = [];
  const attempt = (event: SocketEvent | null, act: () => void) => {
    try {
      act();
    } catch (error) {
      faults.push({ error, event });
    }
  };
  table.steppedAt = now;
  const rows = new Rows(table);
  for (const event of events) attempt(event, () => apply(draft, rows, event));
  attempt(null, () => {
    if (told !== null) hear(table, told);
    keepWanted(table);
    if (table.acceptors.stage !== 'up') return;
    closeRetired(draft);
    arrangeAdoption(draft);
    widen(draft);
    closeUnused(draft);
    settleContests(draft);
  });
  return { effects: draft.effects, faults };
}

/**
 * The nearest time at which `ticked` has something to do, on the clock of `stepTable`; null when nothing is waited for.
 *
 * @param now a time that has passed since the last step is told as `now`
 */
export function nextTableDeadline(
  { acceptors, sockets, contests, steppedAt }: SocketTable,
  now: number,
): number | null {
  if (acceptors.stage !== 'up') return null;
  let nearest = Number.POSITIVE_INFINITY;
  // What was due in the last step waits for something else than time.
  const waitFor = (time: number) => {
    if (time > steppedAt) nearest = Math.min(nearest, time);
  };
  for (const { unusedSince, retiredSince } of sockets) {
    if (unusedSince !== null) waitFor(unusedSince + acceptors.patienceMs);
    if (retiredSince !== null) waitFor(retiredSince + HANDSHAKE_MS);
  }
  for (const { since, notBefore, decided } of contests) {
    if (decided) continue;
    waitFor(since + LOOK_MS);
    waitFor(notBefore);
  }
  return nearest === Number.POSITIVE_INFINITY ? null : Math.max(now, nearest);
}

function apply(draft: TableDraft, rows: Rows, event: SocketEvent): void {
  const { table } = draft;
  switch (event.type) {
    case 'socketOpened':
      hold(table, rows, event);
      return;
    case 'congested':
      markCongested(draft, rows.find(event.socket), event.helpers);
      return;
    case 'relieved':
      markRelieved(draft, rows.find(event.socket));
      return;
    case 'contested':
      contest(draft, event);
      return;
    case 'bound':
      markListened(table, event);
      return;
    case 'closed':
      letGo(table, event);
      return;
    case 'released': {
      const socket = rows.find(event.socket);
      if (socket !== undefined) changeLoans(socket, event.worker, 'released', true);
      return;
    }
    case 'notAdopted':
      markRefused(draft, rows.find(event.socket), event.worker);
      return;
    case 'steeringFailed':
      table.steered = false;
      for (const socket of table.sockets) {
        markRelieved(draft, socket);
        // Wanted again: the hash knows no retirement.
        socket.retiredSince = null;
        socket.closing = false;
      }
      return;
    case 'steeringWorks':
      table.steered = true;
      return;
    case 'ticked':
      // What is due is looked at after every event.
      return;
  }
}

function hear(table: SocketTable, told: Acceptors): void {
  table.acceptors = told;
  // A stop has closed custody: the workers empty the queues, and close them by their end.
  if (told.stage === 'stopping') {
    table.sockets = [];
    table.contests = [];
    return;
  }
  reviewLoans(table);
  const served = new Set(told.workers.flatMap(({ standing, listening }) => (standing === 'serving' ? listening : [])));
  for (const socket of table.sockets) {
    socket.served ||= served.has(socket.key);
    if (socket.holders.some((holder) => hasEnded(told, holder))) {
      socket.holders = socket.holders.filter((holder) => !hasEnded(told, holder));
      socket.widened = socket.widened.filter((holder) => !hasEnded(told, holder));
    }
  }
}

function hasEnded(told: Acceptors, worker: number): boolean {
  return (acceptorOf(told, worker)?.standing ?? 'ended') === 'ended';
}

function hold(table: SocketTable, rows: Rows, event: Extract<SocketEvent, { type: 'socketOpened' }>): void {
  // A stop has closed custody already, this one included.
  if (table.acceptors.stage === 'stopping') return;
  const { slot, key } = event.socket;
  const held = rows.find(event.socket);
  // Given to a worker once more: it is wanted again, and has its time anew.
  if (held !== undefined) {
    held.unusedSince = null;
    hand(held, event.worker);
    return;
  }
  const listened = event.listened ?? false;
  const served = listened || table.sockets.some((other) => other.key === key && other.served);
  const added: HeldSocket = {
    ...{ slot, key, listened, served, fromBefore: event.worker === undefined, holders: [], widened: [] },
    ...{ congested: false, helpers: [], closing: false, loans: [], retiredSince: null, unusedSince: null },
  };
  hand(added, event.worker);
  rows.add(added);
}

/** One that has ended is found out when the core tells next, which it does with every socket that is given. */
function hand(held: HeldSocket, worker: number | undefined): void {
  if (worker === undefined) return;
  held.holders.push(worker);
  held.fromBefore = false;
}

/** One of the times that it was given the socket has come to its end. */
function takeBack(socket: HeldSocket, worker: number): void {
  const at = socket.holders.indexOf(worker);
  if (at !== -1) socket.holders.splice(at, 1);
}

/** Its server on that address is closed, and with it all sockets that it accepted on. */
function letGo({ sockets, contests }: SocketTable, { worker, key }: { worker: number; key: string }): void {
  for (const socket of sockets) {
    if (socket.key !== key) continue;
    if (socket.loans.length > 0) changeLoans(socket, worker, 'closed');
    takeBack(socket, worker);
    socket.widened = socket.widened.filter((holder) => holder !== worker);
  }
  const at = contests.findIndex((other) => other.worker === worker && other.key === key);
  if (at !== -1) contests.splice(at, 1);
}

/** Said again for as long as connections wait: one more helps each time. */
function markCongested(draft: TableDraft, held: HeldSocket | undefined, helpers: readonly number[]): void {
  if (held === undefined) return;
  if (!held.congested) report(draft, 'debug', 'queue congested', held);
  held.congested = true;
  held.helpers = helpers;
  // Connections wait there, whoever has listened on it.
  held.listened = true;
}

function markRelieved(draft: TableDraft, held: HeldSocket | undefined): void {
  if (held === undefined || !held.congested) return;
  report(draft, 'debug', 'queue relieved', held);
  held.congested = false;
  held.helpers = [];
}

/** A worker listens on the address: on the socket of its slot, or on the one that all share. On its way out as well. */
function markListened(table: SocketTable, { worker, key }: { worker: number; key: string }): void {
  const { acceptors, sockets } = table;
  const acceptor = acceptorOf(acceptors, worker);
  if (acceptor === undefined) return;
  for (const socket of sockets) {
    if (socket.key !== key || (socket.slot !== null && socket.slot !== acceptor.slot)) continue;
    socket.listened = true;
    if (!socket.holders.includes(worker)) hand(socket, worker);
  }
  table.contests = table.contests.filter((other) => other.worker !== worker || other.key !== key);
}

function markRefused(draft: TableDraft, held: HeldSocket | undefined, worker: number): void {
  if (held === undefined) return;
  // Its server on the wider address may have been closed meanwhile; it is not asked again.
  if (held.widened.includes(worker)) takeBack(held, worker);
  if (!changeLoans(held, worker, 'notAdopted', true)) return;
  const slot = acceptorOf(draft.table.acceptors, worker)?.slot ?? null;
  const fields = { slot, worker, socketSlot: held.slot };
  report(draft, 'warn', 'socket not adopted', held, fields);
}

function report(
  { effects }: TableDraft,
  level: 'debug' | 'warn',
  message: string,
  { slot, key }: SocketId,
  fields: Readonly<Record<string, unknown>> = { slot },
): void {
  effects.push({ do: 'report', level, message, fields: { ...fields, address: key } });
}

/** The sockets by what they are known by. Lives for one step, and is made when the first of them is looked for. */
class Rows {
  readonly #table: SocketTable;
  #index: Map<string, HeldSocket> | undefined;

  constructor(table: SocketTable) {
    this.#table = table;
  }

  find(socket: SocketId): HeldSocket | undefined {
    this.#index ??= new Map(this.#table.sockets.map((held) => [nameOf(held), held]));
    return this.#index.get(nameOf(socket));
  }

  add(held: HeldSocket): void {
    this.#table.sockets.push(held);
    this.#index?.set(nameOf(held), held);
  }
}

function nameOf({ slot, key }: SocketId): string {
  return `${slot} ${key}`;
}
