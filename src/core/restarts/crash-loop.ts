/**
 * Counts the crashes of each slot, and tells when they become too many and when that is over. By slot: workers that all
 * crash once at the same moment have met with something, those that crash again and again have a fault.
 */

import type { Draft } from '../state/draft.js';
import { report, targetPolicy } from '../state/state.js';
import type { Policy, Slot } from '../state/types.js';
import { restartIntensity } from './restart-policy.js';

/** @param reason of the crash, for who is told that it was one too many */
export function countCrash(draft: Draft, slot: Slot, policy: Policy, reason: string): void {
  const { state, now } = draft;
  const { crashes, exceeded } = restartIntensity([...slot.crashes, now], now, policy);
  slot.crashes = crashes;
  if (!exceeded || slot.crashLoop) return;
  slot.crashLoop = true;
  state.crashLoop = true;
  report(draft, 'error', 'crash loop', {
    slot: slot.slot,
    crashes: crashes.length,
    restartWindowMs: policy.restartWindowMs,
    maxRestarts: policy.maxRestarts,
  });
  if (policy.onCrashLoop === 'exit') {
    state.givesUp = true;
    state.failureReason = `more than ${policy.maxRestarts} crashes within ${policy.restartWindowMs / 1000} s, the last one: ${reason}`;
  }
}

/** Looks whether the crashes of the window are still too many; called whenever time has passed. */
export function reviewCrashLoop(draft: Draft): void {
  const { state, now } = draft;
  if (!state.crashLoop) return;
  for (const slot of state.slots) {
    if (!slot.crashLoop) continue;
    const { crashes, exceeded } = restartIntensity(slot.crashes, now, targetPolicy(state));
    slot.crashes = crashes;
    slot.crashLoop = exceeded;
  }
  // Also where its slot is no more.
  if (!state.slots.some(({ crashLoop }) => crashLoop)) endCrashLoop(draft);
}

/** Once a new generation is accepted: the crashes of the old one say nothing about it. */
export function forgiveCrashes(draft: Draft): void {
  for (const slot of draft.state.slots) Object.assign(slot, { crashes: [], crashLoop: false });
  if (draft.state.crashLoop) endCrashLoop(draft);
}

function endCrashLoop(draft: Draft): void {
  draft.state.crashLoop = false;
  report(draft, 'info', 'crash loop over', {});
}
