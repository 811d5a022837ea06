/**
 * The core's one entrance: `step(state, event, now)` tells what is true afterwards and what is to be done.
 *
 * Pure: no clock, no timer, no chance, no input or output. The loop around it performs the effects, brings back what it
 * observes, and sleeps until `nextDeadline`.
 */
import { arrangeAdoption, closeUnused } from './adoption.js';
import { reviewCrashLoop } from './crash.js';
import { dismiss, kill, observe, overdue } from './lifecycle.js';
import { converge } from './plan.js';
import { advanceRollout, beginRollout, forgetGenerations, takeBack } from './rollout.js';
import { answer, isLive, isSettled, report, sameSocket } from './state.js';
import type { Draft, Effect, Event, RequestEvent, State } from './types.js';

export function step(
  state: State,
  event: Event,
  now: number,
): { readonly state: State; readonly effects: readonly Effect[] } {
  const draft: Draft = { state: structuredClone(state), effects: [], now };
  apply(draft, event);
  settle(draft);
  return { state: draft.state, effects: draft.effects };
}

function apply(draft: Draft, event: Event): void {
  const { state, now } = draft;
  switch (event.type) {
    case 'start':
      return;
    case 'reload':
    case 'restart':
    case 'scale':
      request(draft, event);
      return;
    case 'stop':
      state.stopRequests.push(event.request);
      state.failure = null;
      beginStop(draft);
      return;
    case 'stopNow':
      state.failure = null;
      beginStop(draft);
      for (const worker of state.workers) kill(draft, worker);
      return;
    case 'ticked':
      for (const worker of [...state.workers]) {
        if (worker.deadline !== null && worker.deadline <= now) overdue(draft, worker);
      }
      reviewCrashLoop(draft);
      return;
    case 'socketOpened':
      if (!state.sockets.some((socket) => sameSocket(socket, event.socket))) state.sockets.push(event.socket);
      return;
    default:
      observe(draft, event);
      // The same address fails for every worker alike: waiting for the others would only repeat the message.
      if (event.type === 'bindFailed' && state.phase === 'starting') beginStop(draft);
  }
}

function request(draft: Draft, event: Extract<RequestEvent, { type: 'reload' | 'restart' | 'scale' }>): void {
  const { state } = draft;
  if (state.phase === 'stopping' || state.phase === 'stopped') {
    answer(draft, [event.request], false, 'the supervisor is stopping');
    return;
  }
  if (event.type === 'scale') {
    state.scales.push({ request: event.request, size: event.size });
    report(draft, 'info', 'scaling', { from: state.size, to: event.size });
    state.size = event.size;
    // A size that somebody asked for just now is newer than the one that came with the configuration.
    state.rollout.size = null;
    return;
  }
  const { policy, size } = event;
  if (event.type === 'restart') {
    const requests = [...(state.restart?.requests ?? []), event.request];
    if (state.phase === 'running') interrupt(draft, 'the workers are being restarted');
    state.restart = { requests, policy, size };
    state.phase = 'restarting';
    report(draft, 'info', 'restarting', {});
    for (const worker of state.workers) dismiss(draft, worker);
    return;
  }
  if (state.phase === 'running') {
    beginRollout(draft, { requests: [event.request], policy, size });
  } else {
    state.queuedReload = { requests: [...(state.queuedReload?.requests ?? []), event.request], policy, size };
  }
}

/** What follows from the facts, whatever the event was. */
function settle(draft: Draft): void {
  const { state } = draft;
  if (state.phase === 'restarting') startAgain(draft);
  if (state.phase === 'starting') reviewStart(draft);
  if (state.phase === 'starting' || state.phase === 'running') {
    converge(draft);
    advanceRollout(draft);
    // The end of a rollout may change the size.
    converge(draft);
    arrangeAdoption(draft);
    closeUnused(draft);
    answerSettled(draft);
  }
  if (state.phase === 'stopping') finishStop(draft);
  forgetGenerations(draft);
}

/** The start has an end once every slot has had its try. */
function reviewStart(draft: Draft): void {
  const { state } = draft;
  const ready = state.workers.filter((worker) => worker.state === 'ready').length;
  const failed = state.slots.filter((slot) => slot.slot < state.size && slot.failedStart).length;
  if (state.slots.length < state.size) return;
  if (failed >= state.size && ready === 0) {
    if (!state.workers.some(isLive)) beginStop(draft);
    return;
  }
  const judged = state.slots.every(
    (slot) =>
      slot.slot >= state.size ||
      slot.failedStart ||
      state.workers.some((worker) => worker.slot === slot.slot && worker.state === 'ready'),
  );
  if (!judged || ready === 0) return;
  state.phase = 'running';
  state.failure = null;
  report(draft, 'info', 'started', { ready, size: state.size });
  draft.effects.push({ do: 'announceStart' });
  beginQueuedReload(draft);
}

function startAgain(draft: Draft): void {
  const { state } = draft;
  const { restart } = state;
  if (restart === null || state.workers.length > 0) return;
  state.generation += 1;
  state.target = state.generation;
  state.stable = state.generation;
  state.policies[state.generation] = restart.policy;
  if (restart.size !== null) state.size = restart.size;
  state.rollout = { state: 'none', from: state.stable, to: state.stable, reason: null, requests: [], size: null };
  for (const slot of state.slots) Object.assign(slot, { attempts: 0, retryAt: null, failedStart: false });
  state.phase = 'running';
}

function answerSettled(draft: Draft): void {
  const { state } = draft;
  if (!isSettled(state)) return;
  if (state.restart !== null) {
    answer(draft, state.restart.requests, true, null);
    state.restart = null;
    beginQueuedReload(draft);
  }
  if (state.scales.length === 0 || state.workers.some((worker) => worker.slot >= state.size)) return;
  for (const scale of state.scales) answer(draft, [scale.request], true, null);
  state.scales = [];
}

function beginQueuedReload(draft: Draft): void {
  const queued = draft.state.queuedReload;
  if (queued === null) return;
  draft.state.queuedReload = null;
  beginRollout(draft, queued);
  converge(draft);
}

/** Ends the requests that will not get what they asked for. */
function interrupt(draft: Draft, reason: string): void {
  const { state } = draft;
  if (state.rollout.state === 'running') takeBack(draft, reason);
  if (state.rollout.state === 'rollingBack') state.rollout.state = 'rolledBack';
  answer(draft, state.rollout.requests, false, state.rollout.reason);
  state.rollout.requests = [];
  for (const scale of state.scales) answer(draft, [scale.request], false, reason);
  state.scales = [];
}

function beginStop(draft: Draft): void {
  const { state } = draft;
  if (state.phase === 'stopping' || state.phase === 'stopped') return;
  const reason = 'the supervisor is stopping';
  interrupt(draft, reason);
  answer(draft, state.queuedReload?.requests ?? [], false, reason);
  answer(draft, state.restart?.requests ?? [], false, reason);
  state.queuedReload = null;
  state.restart = null;
  state.phase = 'stopping';
  report(draft, 'info', 'stopping', { workers: state.workers.length });
  // Custody first: the last holders are then the workers, each of which empties the queue before it closes.
  draft.effects.push({ do: 'closeCustody' });
  state.sockets = [];
  for (const worker of state.workers) dismiss(draft, worker);
}

function finishStop(draft: Draft): void {
  const { state } = draft;
  if (state.workers.length > 0) return;
  state.phase = 'stopped';
  answer(draft, state.stopRequests, true, null);
  state.stopRequests = [];
  draft.effects.push({ do: 'end', reason: state.failure });
}
