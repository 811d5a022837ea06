/**
 * The canary of a rollout: one worker of the new release beside all of the old, in a slot of its own, so that it has a
 * socket of its own and can be given its share. The slots stay with the generation that they have until it is promoted.
 */

import { forgetFaults, rollBack, slotForTrial } from '../rollout/rollout.js';
import type { Draft } from '../state/draft.js';
import type { Event } from '../state/events.js';
import { isSoaked, seats } from '../state/standing.js';
import { answer, report } from '../state/state.js';
import type { State, Worker } from '../state/types.js';
import { dismiss } from '../worker/departure.js';
import { spawn } from '../worker/lifecycle.js';

/** The one that is to be there; those of a rollout that has been superseded are not. */
export function isCanary(state: State, worker: Worker): boolean {
  const { rollout } = state;
  return rollout.canary !== null && worker.slot === rollout.canary.slot && worker.generation === rollout.to;
}

/** Starts it, and has it judged once it has had its time. */
export function advanceCanary(draft: Draft): void {
  const { state, now } = draft;
  const { canary, to } = state.rollout;
  if (canary === null || state.rollout.state !== 'running') return;
  const worker = state.workers.find((candidate) => isCanary(state, candidate) && seats(candidate));
  if (worker === undefined) {
    spawn(draft, canary.slot, to);
    return;
  }
  if (!isSoaked(state, worker, now)) return;
  if (canary.until === null) {
    canary.until = now + canary.forMs;
    const { share, forMs } = canary;
    report(draft, 'info', 'canary ready', { generation: to, share, forMs });
  }
  if (now < canary.until || canary.asked) return;
  canary.asked = true;
  draft.effects.push({ do: 'judgeCanary', generation: to });
}

export function canaryJudged(draft: Draft, event: Extract<Event, { type: 'canaryJudged' }>): void {
  const { rollout } = draft.state;
  // Of another rollout, or decided by hand since.
  if (rollout.canary === null || rollout.state !== 'running' || event.generation !== rollout.to) return;
  if (event.verdict === 'worse') {
    rollBack(draft, `the canary was worse: ${event.reason}`);
    return;
  }
  if (!event.final) return;
  if (event.verdict === 'undecided') {
    // It has neither crashed nor hung nor been unhealthy, and a quiet night must not hold up every deployment.
    report(draft, 'warn', 'canary not compared', { generation: rollout.to, reason: event.reason });
  }
  promote(draft);
}

/** What somebody has decided by hand. */
export function decide(draft: Draft, { type, request }: Extract<Event, { type: 'promote' | 'abort' }>): void {
  const { rollout, stable } = draft.state;
  const running = rollout.state === 'running' && stable !== rollout.to;
  if (type === 'promote') {
    if (!running || rollout.canary === null) {
      answer(draft, [request], false, 'no canary is running');
      return;
    }
    rollout.requests.push(request);
    promote(draft);
    return;
  }
  if (rollout.state === 'rollingBack') {
    rollout.aborts.push(request);
  } else if (running) {
    rollout.aborts.push(request);
    rollBack(draft, 'aborted by hand');
  } else {
    answer(draft, [request], false, 'no rollout is running');
  }
}

/** From now on it is a rollout like any other; the canary goes, its place being filled in turn. */
function promote(draft: Draft): void {
  const { state } = draft;
  const { canary, to } = state.rollout;
  state.rollout.canary = null;
  // By hand, and too soon: what it has not passed as a canary is still to come.
  const isProven = canary?.until != null || state.policies[to]?.trialMs === 0;
  if (isProven) {
    state.target = to;
    forgetFaults(state);
  } else {
    state.rollout.trial = { slot: slotForTrial(state) };
  }
  report(draft, 'info', 'canary promoted', { generation: state.rollout.to });
  for (const worker of state.workers) if (worker.slot >= state.size) dismiss(draft, worker);
}
