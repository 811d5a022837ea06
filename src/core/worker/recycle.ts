/**
 * A worker has come to a limit: it is replaced when there is nothing else to do. One that comes to it while it is young,
 * as its predecessor did, shows that the limit is too low: its like is replaced at longer and longer intervals.
 */
import { backoff } from '../restarts/restart-policy.js';
import type { Draft } from '../state/draft.js';
import { label, policyOf, report, slotOf } from '../state/state.js';
import type { Worker } from '../state/types.js';

/** @param advice what to do where it happens too often */
export function recycle(draft: Draft, worker: Worker, reason: string, advice: string): void {
  const { state, now } = draft;
  const slot = slotOf(state, worker.slot);
  const policy = policyOf(state, worker);
  const ageMs = now - (worker.readyAt ?? now);
  worker.recycleReason = reason;
  slot.early = ageMs < policy.backoffResetMs ? slot.early + 1 : 0;
  slot.recycleAt = null;
  if (slot.early < 2) {
    report(draft, 'info', 'recycling', { ...label(worker), reason });
    return;
  }
  // As long as it has served, at least: half of the time there is somebody who is not being replaced.
  const backoffBaseMs = Math.max(policy.backoffBaseMs, 2 * ageMs);
  const delayMs = backoff(slot.early - 1, { ...policy, backoffBaseMs }, 0);
  slot.recycleAt = now + delayMs;
  const hint = `a new worker comes to it within ${seconds(ageMs)} s: ${advice}`;
  report(draft, 'warn', 'limit too low', { ...label(worker), reason, inARow: slot.early, delayMs, hint });
}

function seconds(ms: number): number {
  return Math.max(0.1, Math.round(ms / 100) / 10);
}
