/**
 * Brings the slots to the target generation: which worker starts and which one stops now.
 *
 * Rolling is arithmetic on two bounds. May start: wanted seats + surge - live. May stop: ready - wanted seats. What the rollout's
 * state is does not matter here: first start, crash, rollout, rollback and scaling are all the same way to the target.
 */

import type { Draft } from '../state/draft.js';
import { counts, isFirst, isSoaked, isWanted, seats, serves, wantedSeats } from '../state/standing.js';
import { isCurrent, isSettled, slotOf, targetPolicy, workersOf } from '../state/state.js';
import type { Slot, State, Worker } from '../state/types.js';
import { cutShort, dismiss } from '../worker/departure.js';
import { spawn } from '../worker/lifecycle.js';
import { isCanary } from './canary-rollout.js';

export function converge(draft: Draft): void {
  const { state } = draft;
  for (let slot = 0; slot < state.size; slot++) slotOf(state, slot);
  // A slot lives as long as the scale keeps it: one that is added later has no history.
  const isLeft = ({ slot }: Slot) => slot < state.size || workersOf(state, slot).length > 0;
  if (!state.slots.every(isLeft)) state.slots = state.slots.filter(isLeft);
  stopSurplus(draft);
  stopReplaced(draft);
  limitDraining(draft);
  startMissing(draft);
}

/** Workers of slots beyond the size, and those that never served and are no longer wanted. */
function stopSurplus(draft: Draft): void {
  const { state, now } = draft;
  for (const worker of state.workers.filter(seats)) {
    if (isFirst(state, worker)) continue;
    if (worker.slot >= state.size) dismiss(draft, worker);
    else if (worker.state === 'starting' && (worker.generation !== state.target || isReplaced(state, worker)))
      dismiss(draft, worker);
  }
  for (let slot = 0; slot < state.size; slot++) {
    // Left from a rollout that a newer one superseded: one predecessor is enough, and the proven one stays.
    const [kept, ...others] = predecessors(state, slot).sort((a, b) => trust(state, b) - trust(state, a));
    // With a proven successor both go, but only as others can do without them.
    if (kept === undefined || successor(state, slot, now) !== undefined) continue;
    for (const worker of others) dismiss(draft, worker);
  }
}

/** How much a predecessor is worth keeping: one of a release that was never accepted goes first. */
function trust({ stable }: State, { generation, recycleReason }: Worker): number {
  return (generation === stable ? 2 : 0) + (generation === stable && recycleReason === null ? 1 : 0);
}

/** It was to be recycled, another one is on its way, and it has closed its server by itself meanwhile. */
function isReplaced(state: State, worker: Worker): boolean {
  if (worker.recycleReason === null) return false;
  return workersOf(state, worker.slot).some((other) => other !== worker && seats(other) && isCurrent(state, other));
}

/** Predecessors whose successor in the slot is ready and soaked. */
function stopReplaced(draft: Draft): void {
  const { state, now } = draft;
  let mayStop = state.workers.filter((worker) => worker.slot < state.size && counts(state, worker, now)).length;
  mayStop -= wantedSeats(state);
  for (let slot = 0; slot < state.size; slot++) {
    if (successor(state, slot, now) === undefined) continue;
    for (const worker of predecessors(state, slot).sort((a, b) => trust(state, a) - trust(state, b))) {
      // What is rolled back goes as soon as its slot has a proven worker: it is not trusted to fill a gap elsewhere.
      if (mayStop <= 0 && state.rollout.state !== 'rollingBack') return;
      if (worker.recycleReason !== null && worker.generation === state.target) noteRecycled(state, worker);
      dismiss(draft, worker);
      mayStop -= 1;
    }
  }
}

/** Many releases in a row, each with long connections, must not fill the machine: the oldest goes first. */
function limitDraining(draft: Draft): void {
  const { state } = draft;
  const { maxDraining } = targetPolicy(state);
  for (const { slot } of state.slots) {
    const own = workersOf(state, slot).filter((worker) => worker.state === 'draining');
    for (const worker of own.slice(0, Math.max(0, own.length - maxDraining))) cutShort(draft, worker, maxDraining);
  }
}

function startMissing(draft: Draft): void {
  const { state, now } = draft;
  // The canary is beside all that: an empty seat must not wait for its end.
  const counted = state.workers.filter((worker) => seats(worker) && !isCanary(state, worker));
  let mayStart = wantedSeats(state) + targetPolicy(state).surge - counted.length;
  const anyServes = state.workers.some(serves);
  const missing = state.slots.filter((slot) => {
    if (!isWanted(state, slot) || (slot.retryAt !== null && slot.retryAt > now)) return false;
    // During a trial everybody who is there stays, of whatever generation.
    const isAnybody = workersOf(state, slot.slot).some((worker) => seats(worker) && !isFirst(state, worker));
    if (state.rollout.trial !== null && isAnybody) return false;
    // While nothing has ever been up, one try a slot is enough to know.
    if (state.phase === 'starting' && slot.failedStart && !anyServes) return false;
    const current = workersOf(state, slot.slot).filter((worker) => seats(worker) && isCurrent(state, worker));
    // A worker that is only to be recycled can wait: one at a time, and not while there is anything else to do.
    return (
      current.length === 0 ||
      (current.every(({ recycleReason, state: own }) => recycleReason !== null && own === 'ready') &&
        mayRecycle(state, slot, now))
    );
  });
  // Empty seats first: they cost capacity now.
  const live = (slot: number) => (workersOf(state, slot).some(seats) ? 1 : 0);
  missing.sort((a, b) => live(a.slot) - live(b.slot) || a.slot - b.slot);
  for (const slot of missing) {
    if (mayStart <= 0) return;
    const recycles = workersOf(state, slot.slot).some((worker) => seats(worker) && worker.generation === state.target);
    if (recycles && !mayRecycle(state, slot, now)) continue;
    slot.retryAt = null;
    slot.recycleAt = null;
    spawn(draft, slot.slot, state.target);
    mayStart -= 1;
  }
}

/** Who is to stay in a slot, once it has proved itself. */
function successor(state: State, slot: number, now: number): Worker | undefined {
  return workersOf(state, slot).find((worker) => isCurrent(state, worker) && isSoaked(state, worker, now));
}

/** Ready workers in one slot that another is to take the place of. */
function predecessors(state: State, slot: number): Worker[] {
  const own = workersOf(state, slot).filter((worker) => worker.state === 'ready' && !isCurrent(state, worker));
  return own.filter((worker) => !isFirst(state, worker));
}

/** All slots have a worker, none of them has two, and no rollout is under way or waits. */
function mayRecycle(state: State, { recycleAt }: Slot, now: number): boolean {
  const { phase, rollout, queuedReload } = state;
  if (recycleAt !== null && recycleAt > now) return false;
  if (phase !== 'running' || rollout.state === 'running' || rollout.state === 'rollingBack') return false;
  // It would be sent away at once.
  if (queuedReload !== null) return false;
  return isSettled(state);
}

function noteRecycled(state: State, worker: Worker): void {
  const slot = slotOf(state, worker.slot);
  slot.recycled += 1;
  state.totals.restarts.recycled += 1;
  slot.reason = worker.recycleReason;
}
