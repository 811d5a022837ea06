/** What follows from a worker that crashed or never became ready: blame, backoff, restart intensity. */
import { backoff, restartIntensity } from './restart-policy.js';
import { answerFailedRollback, isOnTrial, takeBack } from './rollout.js';
import { answer, policyOf, report, slotOf } from './state.js';
import type { Draft, Worker, WorkerEvent } from './types.js';

/** One sentence for people: how a worker ended, and what it said last. */
export function describeExit(event: Extract<WorkerEvent, { type: 'exited' }>, when: string): string {
  const how = event.signal === null ? `exited with code ${event.code}` : `was ended by ${event.signal}`;
  const last = event.lastLines.length === 0 ? '' : `; the last it wrote:\n${event.lastLines.join('\n')}`;
  return `a worker ${how} ${when}${last}`;
}

/**
 * Takes note of a fault. The worker is no longer live when this is called.
 *
 * @param chance 0 to 1, for the jitter
 */
export function crashed(draft: Draft, worker: Worker, reason: string, chance: number): void {
  const { state, now } = draft;
  if (state.phase === 'stopping' || state.phase === 'stopped' || state.phase === 'restarting') return;
  const slot = slotOf(state, worker.slot);
  if (state.phase === 'starting') {
    slot.failedStart = true;
    // Told in the end only if no slot gets up at all.
    state.failure ??= reason;
  }
  if (isOnTrial(state, worker.generation)) {
    takeBack(draft, reason);
    return;
  }
  // A worker of a generation that is on its way out, or of a slot that is: nobody will replace it.
  if (worker.generation !== state.target || worker.slot >= state.size) return;

  const policy = policyOf(state, worker);
  if (worker.readyAt !== null && now - worker.readyAt >= policy.backoffResetMs) slot.attempts = 0;
  slot.attempts += 1;
  slot.restarts += 1;
  const delayMs = backoff(slot.attempts, policy, chance);
  slot.retryAt = now + delayMs;
  answerFailedRollback(draft, reason);
  answerWaiting(draft, reason);
  countCrash(draft, policy);
  report(draft, 'info', 'replacement scheduled', { slot: slot.slot, attempt: slot.attempts, delayMs });
}

/** Looks whether the crashes of the window are still too many; called whenever time has passed. */
export function reviewCrashLoop(draft: Draft): void {
  const { state, now } = draft;
  const policy = state.policies[state.target];
  if (policy === undefined || !state.crashLoop) return;
  const { crashes, exceeded } = restartIntensity(state.crashes, now, policy);
  state.crashes = crashes;
  if (exceeded) return;
  state.crashLoop = false;
  report(draft, 'info', 'crash loop over', {});
}

function countCrash(draft: Draft, policy: Parameters<typeof restartIntensity>[2]): void {
  const { state, now } = draft;
  const { crashes, exceeded } = restartIntensity([...state.crashes, now], now, policy);
  state.crashes = crashes;
  if (!exceeded || state.crashLoop) return;
  state.crashLoop = true;
  report(draft, 'error', 'crash loop', {
    crashes: crashes.length,
    restartWindowMs: policy.restartWindowMs,
    maxRestarts: policy.maxRestarts,
  });
}

function answerWaiting(draft: Draft, reason: string): void {
  const { state } = draft;
  for (const scale of state.scales) answer(draft, [scale.request], false, `${reason}; holdfast keeps trying`);
  state.scales = [];
  if (state.restart === null || state.phase !== 'running') return;
  answer(draft, state.restart.requests, false, `${reason}; holdfast keeps trying`);
  state.restart = null;
}
