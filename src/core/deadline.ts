/** Deadlines are data: this is where the loop finds out until when it may sleep. */
import { isLive, policyOf, targetPolicy, workersOf } from './state.js';
import type { State } from './types.js';

/** The nearest time at which `ticked` has something to do, on the clock of `step`; null when nothing is waited for. */
export function nextDeadline(state: State, now: number): number | null {
  const times: number[] = [];
  for (const worker of state.workers) {
    if (worker.deadline !== null) times.push(worker.deadline);
    if (worker.state === 'ready' && worker.readyAt !== null) {
      const soaked = worker.readyAt + policyOf(state, worker).soakMs;
      if (soaked > now) times.push(soaked);
    }
  }
  if (state.phase === 'starting' || state.phase === 'running') {
    for (const slot of state.slots) {
      if (slot.retryAt === null || slot.slot >= state.size) continue;
      const present = workersOf(state, slot.slot).some((w) => isLive(w) && w.generation === state.target);
      if (!present) times.push(slot.retryAt);
    }
    const [oldest] = state.crashes;
    if (state.crashLoop && oldest !== undefined) times.push(oldest + targetPolicy(state).restartWindowMs);
  }
  return times.length === 0 ? null : Math.min(...times);
}
