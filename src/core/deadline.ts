/** Deadlines are data: this is where the loop finds out until when it may sleep. */

import { seats, soakedAt } from './state/standing.js';
import { targetPolicy, workersOf } from './state/state.js';
import type { State, Worker } from './state/types.js';
import { readyByUptimeAt } from './worker/readiness.js';

/**
 * The nearest time at which `ticked` has something to do, on the clock of `step`; null when nothing is waited for.
 *
 * @param now a time that has passed since the last step is told as `now`
 */
export function nextDeadline(state: State, now: number): number | null {
  const times: number[] = [];
  // What every step looks at waits for something else than time if it was due in the last one: no reason to wake up.
  const waitFor = (time: number) => {
    if (time > state.steppedAt) times.push(time);
  };
  for (const worker of state.workers) {
    if (worker.deadline !== null) times.push(worker.deadline);
    if (worker.healthAt !== null) times.push(worker.healthAt);
    if (worker.state === 'ready' && worker.judgeLossAt !== null) times.push(worker.judgeLossAt);
    const upAt = readyByUptimeAt(state, worker);
    if (upAt !== null) waitFor(upAt);
    const soaked = soakedAt(state, worker);
    if (soaked !== null) waitFor(soaked);
  }
  if (state.takeover !== null) times.push(state.takeover.until);
  else if (state.phase === 'starting' || state.phase === 'running') {
    for (const { slot, recycleAt } of state.slots) {
      if (recycleAt !== null && workersOf(state, slot).some(({ recycleReason }) => recycleReason !== null))
        waitFor(recycleAt);
    }
    for (const slot of state.slots) {
      if (slot.retryAt === null || slot.slot >= state.size) continue;
      const isTaken = (w: Worker) => seats(w) && w.generation === state.target && w.recycleReason === null;
      const present = workersOf(state, slot.slot).some(isTaken);
      if (!present) waitFor(slot.retryAt);
    }
    const { restartWindowMs } = targetPolicy(state);
    const { canary } = state.rollout;
    if (canary?.until != null && !canary.asked) waitFor(canary.until);
    for (const { crashLoop, crashes } of state.slots) {
      const [oldest] = crashes;
      if (crashLoop && oldest !== undefined) times.push(oldest + restartWindowMs);
    }
  }
  return times.length === 0 ? null : Math.max(now, Math.min(...times));
}
