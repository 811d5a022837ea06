/** What steering needs to know of a slot, out of the core's state. */
import { seats } from '../state/standing.js';
import { isWantedSlot, policyOf } from '../state/state.js';
import type { SocketId, State, Worker } from '../state/types.js';
import { averageAt, type QueueState } from './congestion.js';
import { nextWarmthStep, type SlotFacts, warmth } from './weights.js';

export interface Observed {
  readonly queue: QueueState | undefined;
  /** Whether a worker of the slot owes a sign of life, on this socket's account or on another's. */
  readonly avoided: boolean;
  /** Open connections of all workers of the slot, as far as they have told. */
  readonly connections: number | null;
}

export function slotFacts(state: State, { slot, key }: SocketId, observed: Observed, now: number): SlotFacts {
  const { canary } = state.rollout;
  const accepting = acceptors(state, slot, key);
  const of = (...states: Worker['state'][]) => accepting.filter((worker) => states.includes(worker.state));
  const ready = of('ready');
  const serving = ready.length > 0 ? 'ready' : of('starting').length > 0 ? 'starting' : undefined;
  return {
    serving: serving ?? (of('draining').length > 0 ? 'draining' : 'none'),
    // A canary gets its share once it has passed its trial.
    retired: slot !== null && (!isWantedSlot(state, slot) || (canary?.slot === slot && canary.until === null)),
    avoided: observed.avoided,
    queue: observed.queue === undefined ? 0 : averageAt(observed.queue, now),
    connections: observed.connections,
    warmth: Math.max(0, ...ready.map((worker) => warmthOf(state, worker, now))),
    share: slot !== null && canary?.slot === slot ? canary.share : null,
  };
}

/** When a slow start has its next step, on the clock of `now`; null where none is under way. */
export function nextWarmthChange(state: State, now: number): number | null {
  const times = state.workers.flatMap((worker) => {
    const { acceptsSince } = worker;
    if (worker.state !== 'ready' || acceptsSince === null) return [];
    const step = nextWarmthStep(now - acceptsSince, policyOf(state, worker).slowStartMs);
    return step === null ? [] : acceptsSince + step;
  });
  return times.length === 0 ? null : Math.min(...times);
}

function warmthOf(state: State, worker: Worker, now: number): number {
  return warmth(now - (worker.acceptsSince ?? now), policyOf(state, worker).slowStartMs);
}

/** Workers that accept on the socket as their own, and will go on to: the ones whose sign of life counts. */
export function ownAcceptors(state: State, { slot, key }: SocketId): Worker[] {
  return acceptors(state, slot, key).filter(seats);
}

function acceptors(state: State, slot: number | null, key: string): Worker[] {
  return state.workers.filter(
    (worker) =>
      !worker.ended && !worker.held && (slot === null || worker.slot === slot) && worker.listening.includes(key),
  );
}
