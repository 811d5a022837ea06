/** Who takes over the open connections of a worker that goes: its successor, else its siblings. */
import { policyOf } from '../state/state.js';
import type { State, Worker } from '../state/types.js';

/** Each costs a channel; so many share the connections evenly enough. */
const MOST_RECIPIENTS = 4;

/** Ids of workers that serve, the best kind there is; none where nobody will serve. */
export function recipientsOf(state: State, worker: Worker): number[] {
  if (!policyOf(state, worker).handover) return [];
  if (state.phase !== 'running' && state.phase !== 'starting') return [];
  const able = state.workers.filter((other) => other.id !== worker.id && canTake(state, other, worker));
  const best = Math.min(...able.map((other) => rank(state, other, worker)));
  const recipients = able.filter((other) => rank(state, other, worker) === best).map(({ id }) => id);
  // Several that go at the same time do not all go to the same ones.
  const from = recipients.length === 0 ? 0 : worker.id % recipients.length;
  return [...recipients.slice(from), ...recipients.slice(0, from)].slice(0, MOST_RECIPIENTS);
}

/** A held worker and a canary, which is beyond the size, get no more clients than they are meant to have. */
function canTake({ size }: State, other: Worker, { listening }: Worker): boolean {
  if (other.state !== 'ready' || other.ended || other.hung || other.held || other.slot >= size) return false;
  return other.listening.some((key) => listening.includes(key));
}

/** One that is about to go itself would only pass them on. */
function rank(state: State, other: Worker, worker: Worker): number {
  if (other.recycleReason !== null) return 3;
  if (other.slot === worker.slot) return 0;
  return other.generation === state.target ? 1 : 2;
}
