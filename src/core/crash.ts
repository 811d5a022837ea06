/** What follows from a worker that crashed or never became ready: blame, backoff, and news for those who wait. */
import { countCrash } from './crash-loop.js';
import { backoff } from './restart-policy.js';
import { answerFailedRollback, isOnTrial, takeBack } from './rollout.js';
import { answer, policyOf, report, slotOf } from './state.js';
import type { Draft, Worker, WorkerEvent } from './types.js';

/** One sentence for people: how a worker ended, and what it said last. */
export function describeExit(event: Extract<WorkerEvent, { type: 'exited' }>, when: string): string {
  const { code, signal, lastLines } = event;
  // Neither of the two: there never was a process.
  if (code === null && signal === null) return `a worker could not be started: ${lastLines.join('\n')}`;
  const how = signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
  const last = lastLines.length === 0 ? '' : `; the last it wrote:\n${lastLines.join('\n')}`;
  return `a worker ${how} ${when}${last}`;
}

/**
 * Takes note of a fault of a worker that was live up to now. There are none while the supervisor stops or restarts, nor
 * in slots beyond the size: all of those have been sent away.
 *
 * @param chance 0 to 1, for the jitter
 */
export function crashed(draft: Draft, worker: Worker, reason: string, chance: number): void {
  const { state, now } = draft;
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
  // A generation that is on its way out: nobody will replace it by its like.
  if (worker.generation !== state.target) return;

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

function answerWaiting(draft: Draft, reason: string): void {
  const { state } = draft;
  for (const scale of state.scales) answer(draft, [scale.request], false, `${reason}; holdfast keeps trying`);
  state.scales = [];
  if (state.restart === null || state.phase !== 'running') return;
  answer(draft, state.restart.requests, false, `${reason}; holdfast keeps trying`);
  state.restart = null;
}
