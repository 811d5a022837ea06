/**
 * The trial of a release: its first worker stands beside the one that serves in its slot, and must stay up for a while
 * before anything else of the rollout goes on. Until then the slots stay with the generation that they have, so that what
 * crashes meanwhile is replaced by what is proven.
 */

import { forgetFaults, slotForTrial } from '../rollout/rollout.js';
import type { Draft } from '../state/draft.js';
import { isFirst, isSoaked, seats, wantedSeats } from '../state/standing.js';
import { report, targetPolicy } from '../state/state.js';
import { spawn } from '../worker/lifecycle.js';

/** Starts it where there is room, and has the rollout go on once it has passed. */
export function advanceTrial(draft: Draft): void {
  const { state, now } = draft;
  const { rollout } = state;
  const { trial, to } = rollout;
  if (trial === null || rollout.state !== 'running') return;
  if (trial.slot >= state.size) trial.slot = slotForTrial(state);
  const worker = state.workers.find((candidate) => seats(candidate) && isFirst(state, candidate));
  if (worker === undefined) {
    const taken = state.workers.filter((other) => other.slot < state.size && seats(other)).length;
    if (taken < wantedSeats(state) + targetPolicy(state).surge) spawn(draft, trial.slot, to);
    return;
  }
  if (!isSoaked(state, worker, now)) return;
  rollout.trial = null;
  state.target = to;
  forgetFaults(state);
  report(draft, 'info', 'trial passed', { generation: to });
}
