/**
 * The words of the table of sockets: what it holds of each socket in custody, what it is told and what it asks for.
 *
 * It knows of workers only what the core tells of them; the core knows nothing of it. Times are milliseconds of the clock
 * that the core goes by.
 */
import type { AddressKey } from '../../protocol/worker.js';
import type { Effect } from '../state/effects.js';
import type { WorkerEvent } from '../state/events.js';
import type { Standing } from '../state/standing.js';
import type { SocketId } from '../state/types.js';

/** What the core tells of one worker. */
export interface Acceptor {
  readonly id: number;
  readonly slot: number;
  /** `coming` accepts already; `waiting`, not ready, and `held`, on trial, do not yet. Only who is `serving` can be asked to adopt. */
  readonly standing: Standing | 'waiting';
  /** Addresses on whose socket of its own slot it accepts, unless it is held. */
  readonly listening: readonly AddressKey[];
}

/** What is to come in a slot. */
export interface Seat {
  readonly slot: number;
  /** A worker is on its way, or is to be. */
  readonly isAwaiting: boolean;
  /** What its workers of this generation have listened on, and none has closed: the present one may be late. */
  readonly expected: readonly AddressKey[];
}

/** Who accepts on what, and what is to be: all that the core tells. */
export interface Acceptors {
  /** While workers are being restarted nobody is asked for anything; a stop has closed custody. */
  readonly stage: 'up' | 'restarting' | 'stopping';
  readonly size: number;
  /** The slot beyond the size that is wanted all the same. */
  readonly canary: number | null;
  /** Every slot has the worker that it is to have, and nothing is on its way. */
  readonly settled: boolean;
  readonly seats: readonly Seat[];
  /** What an application gets to become ready. */
  readonly patienceMs: number;
  readonly workers: readonly Acceptor[];
}

/**
 * - `adopted`: it accepts there, as far as is known.
 * - `releasing`: it was asked to let go, or goes itself, and may still hold the socket.
 * - `refused`: it cannot accept there, and is not asked again.
 */
export type LoanState = 'adopted' | 'releasing' | 'refused';

/** One time that a worker of another slot was asked to accept on a socket. */
export interface Loan {
  readonly worker: number;
  state: LoanState;
}

/** A socket in custody. */
export interface HeldSocket extends SocketId {
  /** Whether a worker has ever listened on it: only then can connections wait in its queue. */
  listened: boolean;
  /** Whether a worker that serves has listened on its address: only then do clients count on it. */
  served: boolean;
  /** No worker is known to have been given it, and connections may wait in it all the same. */
  fromBefore: boolean;
  /** Workers of its own slot that have been given it, once for each time, and have not told that they have closed it. */
  holders: number[];
  /** Those of them that listen on an address that takes this one in, and have been asked to accept here, too. */
  widened: number[];
  /** Its queue does not empty: others are to serve what waits there. */
  congested: boolean;
  /** Slots whose workers have time for it just now, the idlest first. */
  helpers: readonly number[];
  /** Since when its slot is beyond the size; null while it is not. */
  retiredSince: number | null;
  /** Its adopters let go of it, so that it can be closed. */
  closing: boolean;
  /** Since when nobody accepts on it, though nothing is on its way; null while somebody does or may come. */
  unusedSince: number | null;
  /** The oldest first. A worker that is asked again before it has let go has two. */
  loans: Loan[];
}

/**
 * A worker listens, as far as its application can see, on an address that cannot be opened beside another one of ours, or
 * would take connections away from it. Most often it only looks whether the port is free, and closes it at once.
 */
export interface Contest {
  readonly worker: number;
  readonly key: AddressKey;
  readonly since: number;
  /** Before that it is left alone: it has been tried in vain. */
  notBefore: number;
  /** What comes next has been asked for. */
  decided: boolean;
  /** Why it was refused; it is looked at again once that has gone. Null where it was not. */
  refusedFor: SocketId | null;
}

export interface SocketTable {
  /** Whether a program picks the socket for each new connection, so that one can be spared. */
  steered: boolean;
  /** As the core told last. */
  acceptors: Acceptors;
  sockets: HeldSocket[];
  contests: Contest[];
  /** Time of the last step: whatever was due then has been done. */
  steppedAt: number;
}

export type SocketEvent =
  /** `listened`: it comes from before this supervisor, and connections may wait in it. */
  | { readonly type: 'socketOpened'; readonly socket: SocketId; readonly worker?: number; readonly listened?: boolean }
  /** It is to look to a worker as if it listened there: sockets of other addresses of ours are in the way. */
  | { readonly type: 'contested'; readonly worker: number; readonly key: AddressKey }
  /** What waits in its queue waits too long; `helpers` are the slots that could serve it, the idlest first. */
  | { readonly type: 'congested'; readonly socket: SocketId; readonly helpers: readonly number[] }
  | { readonly type: 'relieved'; readonly socket: SocketId }
  /** It does not accept on a socket that it was to adopt. */
  | { readonly type: 'notAdopted'; readonly worker: number; readonly socket: SocketId }
  /** It accepts no longer on a socket of another slot. */
  | { readonly type: 'released'; readonly worker: number; readonly socket: SocketId }
  /** From now on the kernel chooses by its hash, until it is steered again. */
  | { readonly type: 'steeringFailed' }
  | { readonly type: 'steeringWorks' }
  /** Told to the core as well: a server has begun to listen, or has been closed. */
  | Extract<WorkerEvent, { type: 'bound' | 'closed' }>
  | { readonly type: 'ticked' };

export type SocketEffect =
  | { readonly do: 'adopt'; readonly worker: number; readonly socket: SocketId }
  | { readonly do: 'release'; readonly worker: number; readonly socket: SocketId }
  | { readonly do: 'closeSocket'; readonly socket: SocketId }
  /** The worker listens on `under`, which takes the socket's address in: what comes there is for it as well. Answered by `bound`, or `closed`. */
  | { readonly do: 'widen'; readonly worker: number; readonly socket: SocketId; readonly under: AddressKey }
  /** Nothing is in the way any more: the worker gets the socket that it seems to have. Answered by `bound`, or `closed`. */
  | { readonly do: 'openContested'; readonly worker: number; readonly key: AddressKey }
  /** It is not to have it, and cannot be told so by its server. */
  | { readonly do: 'refuseContested'; readonly worker: number; readonly key: AddressKey; readonly reason: string }
  | Extract<Effect, { do: 'report' }>;

/** One step while it is being made: the parts write `table` and push `effects`. */
export interface TableDraft {
  readonly table: SocketTable;
  readonly effects: SocketEffect[];
  readonly now: number;
}
