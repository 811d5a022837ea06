/**
 * What becomes of a loan: one table, state by event, every cell written. Nobody else assigns the state of a loan.
 */
import { acceptorOf } from './acceptors.js';
import type { HeldSocket, LoanState, SocketTable } from './types.js';

export type LoanEvent =
  /** The worker is asked to let go. */
  | 'recalled'
  /** It has told that it does not accept there. */
  | 'notAdopted'
  /** It has told that it has let go. */
  | 'released'
  /** Its server on that address is closed, and all sockets of it with it. */
  | 'closed'
  /** It is on its way out, and closes the socket with its own. */
  | 'leaves'
  /** Its process has ended, and holds nothing any more. */
  | 'ended';

/** null where the loan is over. */
export const LOANS = {
  adopted: {
    recalled: 'releasing',
    notAdopted: 'refused',
    // What it has let go of is an earlier loan of the same socket.
    released: 'adopted',
    closed: null,
    leaves: 'releasing',
    ended: null,
  },
  releasing: {
    recalled: 'releasing',
    // It tells so once more when it has been asked to let go.
    notAdopted: 'releasing',
    released: null,
    closed: null,
    leaves: 'releasing',
    ended: null,
  },
  refused: {
    recalled: 'refused',
    notAdopted: 'refused',
    released: 'refused',
    // The next server on that address may be another kind.
    closed: null,
    leaves: null,
    ended: null,
  },
} satisfies Record<LoanState, Record<LoanEvent, LoanState | null>>;

/**
 * @param worker whose loans of the socket they are
 * @param once only the oldest one for which the event changes something: what a worker tells is told of one loan
 * @returns whether anything has changed
 */
export function changeLoans(socket: HeldSocket, worker: number, event: LoanEvent, once = false): boolean {
  let changed = false;
  for (const loan of socket.loans) {
    if (loan.worker !== worker) continue;
    const next: LoanState | null = LOANS[loan.state][event];
    if (next === loan.state) continue;
    changed = true;
    if (next === null) socket.loans = socket.loans.filter((other) => other !== loan);
    else loan.state = next;
    if (once) break;
  }
  return changed;
}

/** What follows from what the core tells of the workers. */
export function reviewLoans({ sockets, acceptors }: SocketTable): void {
  for (const socket of sockets) {
    // Most of the time nobody has adopted anything.
    if (socket.loans.length === 0) continue;
    for (const worker of new Set(socket.loans.map((loan) => loan.worker))) {
      const standing = acceptorOf(acceptors, worker)?.standing ?? 'ended';
      if (standing === 'ended') changeLoans(socket, worker, 'ended');
      else if (standing === 'leaving') changeLoans(socket, worker, 'leaves');
    }
  }
}

/** Whether the worker accepts there for its slot, as far as is known. */
export function hasAdopted({ loans }: HeldSocket, worker: number): boolean {
  return loans.some((loan) => loan.worker === worker && loan.state === 'adopted');
}

/** Workers that accept there for its slot. */
export function adoptersOf({ loans }: HeldSocket): number[] {
  return loans.flatMap(({ worker, state }) => (state === 'adopted' ? worker : []));
}

/** Workers that serve and cannot accept for others, though they have been asked. */
export function refusals({ sockets }: SocketTable): { readonly worker: number; readonly socket: HeldSocket }[] {
  return sockets.flatMap((socket) =>
    socket.loans.flatMap(({ worker, state }) => (state === 'refused' ? { worker, socket } : [])),
  );
}
