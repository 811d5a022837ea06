/**
 * The rollout: how it begins, fails and ends. Which worker starts or stops while it runs is `plan.ts`.
 *
 * `stable` moves as soon as every slot has reached the new generation; the requests are answered when the last worker
 * of the previous one has gone, so that whoever asked for the reload may rely on it.
 */
import { answer, isLive, isSettled, isSoaked, report } from './state.js';
import type { Draft, Policy, State, Worker } from './types.js';

export interface RolloutRequest {
  readonly requests: number[];
  readonly policy: Policy;
  readonly size: number | null;
}

export function beginRollout(draft: Draft, request: RolloutRequest): void {
  const { state } = draft;
  const previous = state.rollout;
  const coalesced: number[] = [];
  if (previous.state === 'running') {
    if (isReached(state)) answer(draft, previous.requests, true, null);
    else coalesced.push(...previous.requests);
  } else {
    answer(draft, previous.requests, false, previous.reason);
  }
  state.generation += 1;
  state.target = state.generation;
  state.policies[state.generation] = request.policy;
  state.rollout = {
    state: 'running',
    from: state.stable,
    to: state.generation,
    reason: null,
    requests: [...coalesced, ...request.requests],
    size: request.size,
  };
  // New code starts with a clean slate: the crashes of the old one must not hold up the fix.
  for (const slot of state.slots) {
    slot.attempts = 0;
    slot.retryAt = null;
  }
  report(draft, 'info', 'rollout started', { generation: state.generation, from: state.stable });
}

/** The rollout runs and its generation has not been accepted yet: a fault of one of its workers takes it back. */
export function isOnTrial(state: State, generation: number): boolean {
  return state.rollout.state === 'running' && state.rollout.to === generation && !isReached(state);
}

export function takeBack(draft: Draft, reason: string): void {
  const { state } = draft;
  state.rollout.state = 'rollingBack';
  state.rollout.reason = reason;
  state.rollout.size = null;
  state.target = state.stable;
  for (const slot of state.slots) slot.retryAt = null;
  report(draft, 'error', 'rollout taken back', { generation: state.rollout.to, to: state.stable, reason });
}

/** A worker of the generation that was gone back to does not come up either: whoever waits must not wait for ever. */
export function answerFailedRollback(draft: Draft, fault: string): void {
  const { rollout } = draft.state;
  if (rollout.state !== 'rollingBack') return;
  const reason = `${rollout.reason}; generation ${draft.state.target}, which is gone back to, has a fault as well: ${fault}`;
  answer(draft, rollout.requests, false, reason);
  rollout.requests = [];
}

export function advanceRollout(draft: Draft): void {
  const { state, now } = draft;
  const { rollout } = state;
  if (rollout.state === 'running') {
    if (!isReached(state) && isSettled(state) && allSoaked(state, now)) state.stable = rollout.to;
    if (isReached(state) && state.workers.every((worker) => worker.generation === rollout.to)) {
      rollout.state = 'done';
      report(draft, 'info', 'rollout done', { generation: rollout.to });
      answer(draft, rollout.requests, true, null);
      rollout.requests = [];
      if (rollout.size !== null) state.size = rollout.size;
      rollout.size = null;
    }
  } else if (rollout.state === 'rollingBack' && !state.workers.some((worker) => isAstray(state, worker))) {
    rollout.state = 'rolledBack';
    report(draft, 'info', 'rollback done', { generation: state.stable, reason: rollout.reason });
    answer(draft, rollout.requests, false, rollout.reason);
    rollout.requests = [];
  }
}

/** Generations that nobody can need any more. */
export function forgetGenerations(draft: Draft): void {
  const { state } = draft;
  for (const generation of Object.keys(state.policies).map(Number)) {
    const needed =
      generation === state.target ||
      generation === state.stable ||
      state.workers.some((worker) => worker.generation === generation);
    if (needed) continue;
    delete state.policies[generation];
    draft.effects.push({ do: 'forgetGeneration', generation });
  }
}

/** What a new worker must listen on before it may take over: what its predecessor in the slot serves. */
export function requiredAddresses(state: State, worker: Worker): string[] {
  const others = state.workers.filter(
    (other) => other.id !== worker.id && other.state === 'ready' && other.generation !== worker.generation,
  );
  const predecessors = others.filter((other) => other.slot === worker.slot);
  // Ports that the kernel chose come and go in some applications; nobody can rely on them by number.
  const fixed = (candidate: Worker) => candidate.listening.filter((key) => !key.includes(':0#'));
  if (predecessors.length > 0) return [...new Set(predecessors.flatMap(fixed))];
  // The predecessor has crashed: what all workers of the old generation have in common is what it had, too.
  const [first, ...rest] = others.filter((other) => other.generation === state.stable);
  if (first === undefined) return [];
  return fixed(first).filter((key) => rest.every((other) => other.listening.includes(key)));
}

function isReached(state: State): boolean {
  return state.stable === state.rollout.to;
}

function isAstray(state: State, worker: Worker): boolean {
  return isLive(worker) && worker.generation !== state.target;
}

function allSoaked(state: State, now: number): boolean {
  return state.workers.every((worker) => worker.slot >= state.size || !isLive(worker) || isSoaked(state, worker, now));
}
