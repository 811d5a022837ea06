/** Counts the crashes of the accepted generation, and tells when they become too many and when that is over. */
import { restartIntensity } from './restart-policy.js';
import { report, targetPolicy } from './state.js';
import type { Draft, Policy } from './types.js';

/** @param reason of the crash, for who is told that it was one too many */
export function countCrash(draft: Draft, policy: Policy, reason: string): void {
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
  if (policy.onCrashLoop === 'exit') {
    state.givesUp = true;
    state.failure = `more than ${policy.maxRestarts} crashes within ${policy.restartWindowMs / 1000} s, the last one: ${reason}`;
  }
}

/** Looks whether the crashes of the window are still too many; called whenever time has passed. */
export function reviewCrashLoop(draft: Draft): void {
  const { state, now } = draft;
  if (!state.crashLoop) return;
  const { crashes, exceeded } = restartIntensity(state.crashes, now, targetPolicy(state));
  state.crashes = crashes;
  if (!exceeded) endCrashLoop(draft);
}

/** Once a new generation is accepted: the crashes of the old one say nothing about it. */
export function forgiveCrashes(draft: Draft): void {
  draft.state.crashes = [];
  if (draft.state.crashLoop) endCrashLoop(draft);
}

function endCrashLoop(draft: Draft): void {
  draft.state.crashLoop = false;
  report(draft, 'info', 'crash loop over', {});
}
