/**
 * The rollout: how it begins, fails and ends. Which worker starts or stops while it runs is `../plan/plan.ts`.
 *
 * `stable` moves as soon as every slot has reached the new generation; the requests are answered when the last worker
 * of the previous one has gone, so that whoever asked for the reload may rely on it.
 */

import { forgiveCrashes } from '../restarts/crash-loop.js';
import type { Draft } from '../state/draft.js';
import { isSoaked, seats, serves } from '../state/standing.js';
import { answer, isSettled, report } from '../state/state.js';
import type { Canary, Renewal, State, Worker } from '../state/types.js';
import { rememberAllAddresses } from './addresses.js';

export function beginRollout(draft: Draft, request: Renewal): void {
  const { state } = draft;
  const previous = state.rollout;
  const coalesced: number[] = [];
  if (previous.state === 'running') {
    if (isReached(state)) answer(draft, previous.requests, true, null);
    else coalesced.push(...previous.requests);
  } else {
    answer(draft, previous.requests, false, previous.reason);
  }
  answer(draft, previous.aborts, true, null);
  state.generation += 1;
  const canary = request.canary === null ? null : canaryIn(state, request.canary);
  const trial = canary === null && request.policy.trialMs > 0 ? { slot: slotForTrial(state) } : null;
  // Until the canary has had its time, or the first worker its trial, what crashes is replaced by what is proven.
  state.target = canary === null && trial === null ? state.generation : state.stable;
  state.policies[state.generation] = request.policy;
  state.rollout = {
    state: 'running',
    from: state.stable,
    to: state.generation,
    reason: null,
    requests: [...coalesced, ...request.requests],
    // The one that is superseded may have brought a change of the size, which the newer one has in its configuration, too.
    size: request.size ?? (previous.state === 'running' ? previous.size : null),
    canary,
    trial,
    trialForEach: false,
    aborts: [],
  };
  if (trial === null) forgetFaults(state);
  report(draft, 'info', 'rollout started', { generation: state.generation, from: state.stable });
}

/** New code starts with a clean slate: the crashes of the old one must not hold up the fix. */
export function forgetFaults(state: State): void {
  for (const slot of state.slots) {
    Object.assign(slot, { attempts: 0, retryAt: null, early: 0, recycleAt: null, finished: false });
  }
}

function canaryIn({ size }: State, { share, forMs }: NonNullable<Renewal['canary']>): Canary {
  return { slot: size, share, forMs, until: null, asked: false };
}

/** Where the first worker of a release is to be: a slot in which somebody serves, so that it gets no client before it has passed. */
export function slotForTrial({ workers, size }: State): number {
  const served = workers.filter((worker) => worker.slot < size && serves(worker)).map(({ slot }) => slot);
  return served.length === 0 ? 0 : Math.min(...served);
}

/** The rollout runs and its generation has not been accepted yet: a fault of one of its workers rolls it back. */
export function isOnTrial(state: State, generation: number): boolean {
  return state.rollout.state === 'running' && state.rollout.to === generation && !isReached(state);
}

export function rollBack(draft: Draft, reason: string): void {
  const { state } = draft;
  state.rollout.state = 'rollingBack';
  state.rollout.reason = reason;
  state.rollout.canary = null;
  state.rollout.trial = null;
  state.target = state.stable;
  report(draft, 'error', 'rollback started', { generation: state.rollout.to, to: state.stable, reason });
}

/** A worker of the generation that was gone back to does not come up either: whoever waits must not wait for ever. */
export function answerFailedRollback(draft: Draft, fault: string): void {
  const { rollout } = draft.state;
  if (rollout.state !== 'rollingBack') return;
  const reason = `${rollout.reason}; generation ${draft.state.target}, which is gone back to, has a fault as well: ${fault}`;
  answer(draft, rollout.requests, false, reason);
  answer(draft, rollout.aborts, false, reason);
  rollout.requests = [];
  rollout.aborts = [];
}

export function advanceRollout(draft: Draft): void {
  const { state, now } = draft;
  const { rollout } = state;
  if (rollout.state === 'running') {
    if (rollout.canary !== null || rollout.trial !== null) return;
    if (!isReached(state) && isSettled(state) && allSoaked(state, now)) accept(draft);
    if (isReached(state) && state.workers.every((worker) => worker.generation === rollout.to)) {
      conclude(state, 'done');
      report(draft, 'info', 'rollout done', { generation: rollout.to });
      answer(draft, rollout.requests, true, null);
      rollout.requests = [];
      if (rollout.size !== null) state.size = rollout.size;
      rollout.size = null;
    }
  } else if (rollout.state === 'rollingBack' && !state.workers.some((worker) => isAstray(state, worker))) {
    conclude(state, 'rolledBack');
    report(draft, 'info', 'rollback done', { generation: state.stable, reason: rollout.reason });
    answer(draft, rollout.requests, false, rollout.reason);
    answer(draft, rollout.aborts, true, null);
    rollout.requests = [];
    rollout.aborts = [];
  }
}

function conclude(state: State, outcome: 'done' | 'rolledBack'): void {
  state.rollout.state = outcome;
  state.totals.rollouts[outcome] += 1;
}

function accept(draft: Draft): void {
  const { state } = draft;
  state.stable = state.rollout.to;
  report(draft, 'debug', 'generation accepted', { generation: state.stable });
  rememberAllAddresses(state);
  forgiveCrashes(draft);
}

/** Ends a rollout that something else overrides, without going back: one that was accepted has succeeded all the same. */
export function interruptRollout(draft: Draft, reason: string): void {
  const { state } = draft;
  const { rollout } = state;
  if (rollout.state !== 'running' && rollout.state !== 'rollingBack') return;
  const succeeded = rollout.state === 'running' && isReached(state);
  rollout.reason = succeeded ? null : (rollout.reason ?? reason);
  conclude(state, succeeded ? 'done' : 'rolledBack');
  rollout.size = null;
  rollout.canary = null;
  rollout.trial = null;
  state.target = state.stable;
  answer(draft, rollout.requests, succeeded, rollout.reason);
  answer(draft, rollout.aborts, !succeeded, succeeded ? 'it was too late: the new generation has taken over' : null);
  rollout.requests = [];
  rollout.aborts = [];
}

/** Generations that nobody can need any more. */
export function forgetGenerations(draft: Draft): void {
  const { state } = draft;
  for (const generation of Object.keys(state.policies).map(Number)) {
    const needed =
      generation === state.target ||
      generation === state.stable ||
      (state.rollout.state === 'running' && generation === state.rollout.to) ||
      state.workers.some((worker) => worker.generation === generation);
    if (needed) continue;
    delete state.policies[generation];
    draft.effects.push({ do: 'forgetGeneration', generation });
  }
}

/** Every slot has reached the rollout's generation: it is accepted, and can no longer fail. */
export function isReached(state: State): boolean {
  return state.stable === state.rollout.to;
}

function isAstray(state: State, worker: Worker): boolean {
  return seats(worker) && worker.generation !== state.target;
}

function allSoaked(state: State, now: number): boolean {
  return state.workers.every((worker) => worker.slot >= state.size || !seats(worker) || isSoaked(state, worker, now));
}
