/** What a request sets going, what it cuts short, and what becomes of the requests before it. */
import { forgiveCrashes } from './restarts/crash-loop.js';
import { beginRollout, forgetFaults, interruptRollout } from './rollout/rollout.js';
import type { Draft } from './state/draft.js';
import type { RequestEvent } from './state/events.js';
import { answer, report } from './state/state.js';
import { dismiss, kill } from './worker/departure.js';
import { giveUpAll } from './worker/takeover.js';

type Request<T extends RequestEvent['type']> = Extract<RequestEvent, { type: T }>;

const STOPPING = 'the supervisor is stopping';

export function request(draft: Draft, event: Request<'reload' | 'restart' | 'scale'>): void {
  const { phase } = draft.state;
  if (phase === 'stopping' || phase === 'stopped') {
    answer(draft, [event.request], false, STOPPING);
  } else if (event.type === 'scale') {
    if (draft.state.rollout.canary === null) scale(draft, event);
    else answer(draft, [event.request], false, 'a canary is under way: promote or abort it first');
  } else if (event.type === 'restart') {
    restart(draft, event);
  } else {
    reload(draft, event);
  }
}

function scale(draft: Draft, event: Request<'scale'>): void {
  const { state } = draft;
  state.scales.push({ request: event.request, size: event.size });
  state.reached = [];
  report(draft, 'info', 'scaling', { from: state.size, to: event.size });
  state.size = event.size;
  // A size that somebody asked for just now is newer than one that came with a configuration.
  state.rollout.size = null;
  if (state.restart !== null) state.restart = { ...state.restart, size: null };
  if (state.queuedReload !== null) state.queuedReload = { ...state.queuedReload, size: null };
}

function reload(draft: Draft, { request: number, policy, size, canary = null }: Request<'reload'>): void {
  const { state } = draft;
  const queued = state.queuedReload;
  const requests = [...(queued?.requests ?? []), number];
  state.queuedReload = { requests, policy, size: size ?? queued?.size ?? null, canary };
  beginQueuedReload(draft);
}

/**
 * A rollout needs a generation to go back to: while the first one, or that of a restart, is just coming up, it waits. A
 * canary needs one to be compared with as well, in all slots: it waits until a rollout has taken over or failed.
 */
export function beginQueuedReload(draft: Draft): void {
  const { state } = draft;
  const { queuedReload } = state;
  if (queuedReload === null || state.phase !== 'running' || state.restart !== null) return;
  const isMoving = state.rollout.state === 'running' && state.rollout.canary === null;
  if (queuedReload.canary !== null && isMoving) return;
  state.queuedReload = null;
  beginRollout(draft, queuedReload);
}

function restart(draft: Draft, { request: number, policy, size }: Request<'restart'>): void {
  const { state } = draft;
  const { restart: previous, queuedReload: queued } = state;
  const changed = state.rollout.state === 'running' ? state.rollout.size : null;
  interruptRollout(draft, 'the workers are being restarted');
  // A reload that waits has its request fulfilled, too: what comes up now is newer than what it asked for.
  const requests = [...(previous?.requests ?? []), ...(queued?.requests ?? []), number];
  state.restart = { requests, policy, size: size ?? queued?.size ?? previous?.size ?? changed, canary: null };
  state.queuedReload = null;
  state.reached = [];
  state.phase = 'restarting';
  report(draft, 'info', 'restarting', {});
  for (const worker of state.workers) dismiss(draft, worker);
}

/** The second half of a restart, once the last worker has gone. */
export function startAgain(draft: Draft): void {
  const { state } = draft;
  if (state.restart === null || state.workers.length > 0) return;
  const { policy, size } = state.restart;
  state.generation += 1;
  state.target = state.generation;
  state.stable = state.generation;
  state.policies[state.generation] = policy;
  if (size !== null) state.size = size;
  const { stable } = state;
  const empty = { reason: null, requests: [], size: null, canary: null, trial: null, trialForEach: false, aborts: [] };
  state.rollout = { state: 'none', from: stable, to: stable, ...empty };
  forgetFaults(state);
  for (const slot of state.slots) Object.assign(slot, { addresses: [], lasting: [], failedStart: false });
  forgiveCrashes(draft);
  state.failureReason = null;
  state.phase = state.announced ? 'running' : 'starting';
}

export function stop(draft: Draft, event: Request<'stop'>): void {
  const { state } = draft;
  if (state.phase === 'stopped') {
    answer(draft, [event.request], true, null);
    return;
  }
  state.stopRequests.push(event.request);
  stopAsAsked(draft);
}

export function stopNow(draft: Draft): void {
  stopAsAsked(draft);
  giveUpAll(draft);
  for (const worker of draft.state.workers) kill(draft, worker);
}

function stopAsAsked(draft: Draft): void {
  const { state } = draft;
  // A failure that ends the supervisor stays one, also when somebody is tired of waiting for its end.
  if (state.phase !== 'stopping') state.failureReason = null;
  beginStop(draft);
}

/** `state.failureReason` tells why, unless it was asked for. */
export function beginStop(draft: Draft): void {
  const { state } = draft;
  if (state.phase === 'stopping' || state.phase === 'stopped') return;
  const reason = state.failureReason ?? STOPPING;
  interruptRollout(draft, reason);
  answer(draft, state.queuedReload?.requests ?? [], false, reason);
  answer(draft, state.restart?.requests ?? [], false, reason);
  for (const { request: number } of state.scales) answer(draft, [number], false, reason);
  state.queuedReload = null;
  state.restart = null;
  state.scales = [];
  state.phase = 'stopping';
  report(draft, 'info', 'stopping', { workers: state.workers.length });
  // Custody first: the last holders are then the workers, each of which empties the queue before it closes.
  draft.effects.push({ do: 'closeCustody' });
  for (const worker of state.workers) dismiss(draft, worker);
}

export function finishStop(draft: Draft): void {
  const { state } = draft;
  if (state.workers.length > 0) return;
  state.phase = 'stopped';
  answer(draft, state.stopRequests, true, null);
  state.stopRequests = [];
  draft.effects.push({ do: 'end', reason: state.failureReason });
}
