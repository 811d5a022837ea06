/** Workers that are ready and accept nothing yet: those of a release on trial, for as long as somebody else serves. */
import { isOnTrial } from './rollout.js';
import { isFirst, isSoaked, serves } from './standing.js';
import { policyOf } from './state.js';
import type { Draft, State, Worker } from './types.js';

/**
 * The first worker of a release, and all of one that asks for health or a soak, get no client before they have passed, as
 * long as another one serves them.
 */
export function isToBeHeld(state: State, worker: Worker): boolean {
  const { health, soakMs, trialMs } = policyOf(state, worker);
  const isTested = health || soakMs > 0 || (trialMs > 0 && isFirst(state, worker));
  return isTested && isOnTrial(state, worker.generation) && hasElder(state, worker);
}

/** Whether somebody else accepts on its sockets, on all of them. */
function hasElder({ workers, listenMode }: State, { id, slot, listening }: Worker): boolean {
  const elders = workers.filter((other) => {
    const shares = listenMode === 'reuseaddr' || other.slot === slot;
    return other.id !== id && shares && serves(other);
  });
  return elders.length > 0 && listening.every((key) => elders.some((elder) => elder.listening.includes(key)));
}

/** Who has passed accepts, and who would be the only one to. */
export function releaseHeld(draft: Draft): void {
  const { state, now } = draft;
  for (const worker of state.workers) {
    if (!worker.held || worker.state !== 'ready' || worker.ended) continue;
    if (!isSoaked(state, worker, now) && hasElder(state, worker)) continue;
    worker.held = false;
    worker.acceptsSince = now;
    draft.effects.push({ do: 'accept', worker: worker.id });
  }
}
