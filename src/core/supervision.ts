/**
 * The core and the table of sockets beside it, as the loop drives them: each takes what concerns it, and whenever the core
 * has stepped the table is told who accepts on what. What a look at the queues finds does not wake the core.
 */
import { acceptorsOf } from './acceptors.js';
import { initialTable, nextTableDeadline, stepTable } from './adoption/table.js';
import type { Acceptors, SocketEffect, SocketEvent, SocketTable } from './adoption/types.js';
import { nextDeadline } from './deadline.js';
import type { Effect } from './state/effects.js';
import type { Event } from './state/events.js';
import { initialState } from './state/state.js';
import type { State } from './state/types.js';
import { step } from './step.js';

export type AnyEvent = Event | SocketEvent;
export type AnyEffect = Effect | SocketEffect;

export interface Supervision {
  readonly state: State;
  readonly sockets: SocketTable;
}

export interface Fault {
  readonly error: unknown;
  /** The event that was failed at, and is left out; null where it was what follows from all of them. */
  readonly event: AnyEvent | null;
}

export interface Advance {
  readonly effects: readonly AnyEffect[];
  readonly faults: readonly Fault[];
  /** Whether the core has stepped, or a socket has come or is to go. */
  readonly isNews: boolean;
}

/** Whom an event concerns, where that is not the core alone. */
const CONCERNS = {
  congested: 'sockets',
  relieved: 'sockets',
  notAdopted: 'sockets',
  released: 'sockets',
  steeringFailed: 'sockets',
  steeringWorks: 'sockets',
  contested: 'both',
  socketOpened: 'both',
  bound: 'both',
  closed: 'both',
  ticked: 'both',
} satisfies Record<SocketEvent['type'], 'sockets' | 'both'>;

export function initialSupervision({
  steered,
  ...options
}: Parameters<typeof initialState>[0] & { readonly steered: boolean }): Supervision {
  return { state: initialState(options), sockets: initialTable(steered) };
}

/**
 * Takes what has come, in order, and settles once. Writes into `supervision`: it is the caller's, who shows it to others
 * but lets nobody else write. Never throws.
 */
export function advance({ state, sockets }: Supervision, events: readonly AnyEvent[], now: number): Advance {
  const ofCore = events.filter(isForCore);
  const ofSockets = events.filter(isForSockets);
  const effects: AnyEffect[] = [];
  const faults: Fault[] = [];
  let told: Acceptors | null = null;
  if (ofCore.length > 0) {
    const outcome = step(state, ofCore, now);
    effects.push(...outcome.effects);
    faults.push(...outcome.faults);
    try {
      told = acceptorsOf(state);
    } catch (error) {
      faults.push({ error, event: null });
    }
  }
  // After what the core asks for: a worker is told to go before somebody adopts what it leaves.
  const outcome = stepTable(sockets, ofSockets, told, now);
  effects.push(...outcome.effects);
  faults.push(...outcome.faults);
  const moves =
    ofSockets.some(({ type }) => type === 'socketOpened') ||
    outcome.effects.some((effect) => effect.do === 'closeSocket');
  return { effects, faults, isNews: ofCore.length > 0 || moves };
}

/** The nearest time at which `ticked` has something to do; null when nothing is waited for. */
export function nextWake({ state, sockets }: Supervision, now: number): number | null {
  const own = nextDeadline(state, now);
  const beside = nextTableDeadline(sockets, now);
  if (own === null || beside === null) return own ?? beside;
  return Math.min(own, beside);
}

function isForSockets(event: AnyEvent): event is SocketEvent {
  return Object.hasOwn(CONCERNS, event.type);
}

function isForCore(event: AnyEvent): event is Event {
  return !isForSockets(event) || CONCERNS[event.type] === 'both';
}
