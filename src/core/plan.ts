/**
 * Brings the slots to the target generation: which worker starts and which one stops now.
 *
 * Rolling is arithmetic on two bounds. May start: size + surge - live. May stop: ready - size. What the rollout's
 * state is does not matter here: first start, crash, rollout, rollback and scaling are all the same way to the target.
 */

import { isCanary } from './canary-rollout.js';
import { dismiss, spawn } from './lifecycle.js';
import { isCurrent, isLive, isSettled, isSoaked, slotOf, targetPolicy, workersOf } from './state.js';
import type { Draft, State, Worker } from './types.js';

export function converge(draft: Draft): void {
  const { state } = draft;
  for (let slot = 0; slot < state.size; slot++) slotOf(state, slot);
  // A slot lives as long as the scale keeps it: one that is added later has no history.
  state.slots = state.slots.filter(({ slot }) => slot < state.size || workersOf(state, slot).length > 0);
  stopSurplus(draft);
  stopReplaced(draft);
  startMissing(draft);
}

/** Workers of slots beyond the size, and those that never served and are no longer wanted. */
function stopSurplus(draft: Draft): void {
  const { state } = draft;
  for (const worker of state.workers.filter(isLive)) {
    if (isCanary(state, worker)) continue;
    if (worker.slot >= state.size) dismiss(draft, worker);
    else if (worker.generation !== state.target && worker.state === 'starting') dismiss(draft, worker);
  }
  for (let slot = 0; slot < state.size; slot++) {
    // Left from a rollout that a newer one superseded: one predecessor is enough, and the proven one stays.
    const others = predecessors(state, slot);
    if (others.length < 2) continue;
    const proven = others.filter((worker) => worker.generation === state.stable);
    const kept = proven.find(({ recycling }) => recycling === null) ?? proven[0] ?? others[0];
    for (const worker of others) if (worker !== kept) dismiss(draft, worker);
  }
}

/** Predecessors whose successor in the slot is ready and soaked. */
function stopReplaced(draft: Draft): void {
  const { state, now } = draft;
  let mayStop = countReady(state, now) - state.size;
  for (let slot = 0; slot < state.size; slot++) {
    const successor = workersOf(state, slot).find((worker) => isCurrent(state, worker) && isSoaked(state, worker, now));
    if (successor === undefined) continue;
    for (const worker of predecessors(state, slot)) {
      // What is taken back goes as soon as its slot has a proven worker: it is not trusted to fill a gap elsewhere.
      if (mayStop <= 0 && state.rollout.state !== 'rollingBack') return;
      if (worker.recycling !== null) noteRecycled(state, worker);
      dismiss(draft, worker);
      mayStop -= 1;
    }
  }
}

function startMissing(draft: Draft): void {
  const { state, now } = draft;
  // The canary is beside all that: an empty seat must not wait for its end.
  const counted = state.workers.filter((worker) => isLive(worker) && !isCanary(state, worker));
  let mayStart = state.size + targetPolicy(state).surge - counted.length;
  const anyReady = state.workers.some((worker) => worker.state === 'ready');
  const missing = state.slots.filter((slot) => {
    if (slot.slot >= state.size || slot.finished || (slot.retryAt !== null && slot.retryAt > now)) return false;
    // While nothing has ever been up, one try a slot is enough to know.
    if (state.phase === 'starting' && slot.failedStart && !anyReady) return false;
    const live = workersOf(state, slot.slot).filter(isLive);
    if (live.some((worker) => isCurrent(state, worker))) return false;
    // A worker that is only to be recycled can wait: one at a time, and not while there is anything else to do.
    return !live.some((worker) => worker.generation === state.target) || mayRecycle(state);
  });
  // Empty seats first: they cost capacity now.
  const live = (slot: number) => (workersOf(state, slot).some(isLive) ? 1 : 0);
  missing.sort((a, b) => live(a.slot) - live(b.slot) || a.slot - b.slot);
  for (const slot of missing) {
    if (mayStart <= 0) return;
    const recycles = workersOf(state, slot.slot).some((worker) => isLive(worker) && worker.generation === state.target);
    if (recycles && !mayRecycle(state)) continue;
    slot.retryAt = null;
    spawn(draft, slot.slot, state.target);
    mayStart -= 1;
  }
}

/** Ready workers in one slot that another is to take the place of. */
function predecessors(state: State, slot: number): Worker[] {
  return workersOf(state, slot).filter((worker) => worker.state === 'ready' && !isCurrent(state, worker));
}

/** All slots have a worker, none of them has two, and no rollout is under way. */
function mayRecycle(state: State): boolean {
  const { phase, rollout } = state;
  if (phase !== 'running' || rollout.state === 'running' || rollout.state === 'rollingBack') return false;
  return isSettled(state);
}

function noteRecycled(state: State, worker: Worker): void {
  const slot = slotOf(state, worker.slot);
  slot.recycled += 1;
  state.totals.restarts.recycled += 1;
  slot.reason = worker.recycling;
}

/** Ready workers in active slots; one of the target generation counts once it is soaked. */
function countReady(state: State, now: number): number {
  return state.workers.filter((worker) => {
    if (worker.slot >= state.size || worker.state !== 'ready' || worker.ended) return false;
    return worker.generation !== state.target || isSoaked(state, worker, now);
  }).length;
}
