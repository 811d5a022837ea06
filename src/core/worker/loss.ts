/**
 * A worker closes an address though nobody has asked it to: it is no longer ready, or one of several servers is gone. It
 * may open it again; if it does not, that is a fault of the worker, unless all of its like have closed it as well.
 */
import { forgetAddress, isFixed } from '../rollout/addresses.js';
import { isOnTrial } from '../rollout/rollout.js';
import type { Draft } from '../state/draft.js';
import { isSoaked } from '../state/standing.js';
import { label, policyOf, report, shown, slotOf } from '../state/state.js';
import type { Worker } from '../state/types.js';
import { fail } from './departure.js';
import { contestOver, lacks } from './readiness.js';

/** In which a server that has been closed may be opened again: some applications listen anew when they are reconfigured. */
export const REOPEN_MS = 500;

/** As it has been asked to. */
export function closed(draft: Draft, worker: Worker, { key }: { readonly key: string }): void {
  const isOther = (other: string) => other !== key;
  worker.listening = worker.listening.filter(isOther);
  worker.steady = worker.steady.filter(isOther);
  worker.assumed = worker.assumed.filter(isOther);
  worker.given = worker.given.filter(isOther);
  report(draft, 'info', 'worker closed', { ...label(worker), address: shown(worker, key) });
  contestOver(draft, worker, key);
}

export function closedUnasked(draft: Draft, worker: Worker, event: { readonly key: string }): void {
  const { state, now } = draft;
  const { key } = event;
  const served = worker.steady.includes(key) && !worker.assumed.includes(key);
  closed(draft, worker, event);
  if (!served) worker.lookedAt = key;
  if (worker.state !== 'ready') return;
  // Clients are refused from now on, as under plain Node.
  forgetAddress(state, worker, key);
  if (served) worker.givenUp.push(key);
  if (!served) {
    if (lacks(state, worker) !== null) unready(draft, worker, true);
    return;
  }
  // What was opened for a session goes with it.
  const isLasting = (other: string) => worker.lasting.includes(other);
  if (!isLasting(key) && worker.steady.some(isLasting)) return;
  worker.lost.push(key);
  if (lacks(state, worker) !== null) unready(draft, worker, isYoung(draft, worker));
  else if (isFixed(key)) worker.judgeLossAt ??= now + REOPEN_MS;
  else worker.lost.pop();
}

/** On trial, and while nothing has been announced yet. */
function isYoung({ state, now }: Draft, worker: Worker): boolean {
  return state.phase === 'starting' || (isOnTrial(state, worker.generation) && !isSoaked(state, worker, now));
}

/** @param young it has what is left of its time to become ready, and none after it: nobody waits for ever for one that comes and goes */
function unready(draft: Draft, worker: Worker, young: boolean): void {
  const { state, now } = draft;
  const { readyTimeoutMs, backoffResetMs } = policyOf(state, worker);
  if (young && now >= worker.startedAt + readyTimeoutMs) {
    const what = told(worker, worker.lost.length > 0 ? worker.lost : [worker.lookedAt ?? '']).join(', ');
    fail(draft, worker, `a worker has closed ${what} by itself again, and its time to become ready is over`);
    return;
  }
  if (worker.readyAt !== null && now - worker.readyAt >= backoffResetMs) slotOf(state, worker.slot).attempts = 0;
  worker.state = 'starting';
  worker.readyAt = null;
  worker.acceptsSince = null;
  worker.judgeLossAt = null;
  worker.healthy = false;
  if (state.rollout.to === worker.generation) state.rollout.trialForEach = true;
  worker.deadline = Math.max(now + REOPEN_MS, young ? worker.startedAt + readyTimeoutMs : 0);
  report(draft, 'warn', 'worker no longer ready', { ...label(worker), closed: told(worker, worker.lost) });
}

function told(worker: Worker, keys: readonly string[]): string[] {
  return keys.map((key) => shown(worker, key));
}

/** It serves on what is left, and has not opened again what it has closed. */
export function judgeLoss(draft: Draft, worker: Worker): void {
  const { state } = draft;
  worker.judgeLossAt = null;
  const missed = worker.lost.filter((key) => state.workers.some((other) => isLikewise(other, worker, key)));
  if (missed.length > 0) {
    fail(
      draft,
      worker,
      `a worker has closed ${told(worker, missed).join(', ')} by itself, where others of its generation serve`,
    );
    return;
  }
  if (worker.lost.length > 0)
    report(draft, 'info', 'address given up', { ...label(worker), closed: told(worker, worker.lost) });
  worker.lost = [];
}

function isLikewise(other: Worker, { slot, generation }: Worker, key: string): boolean {
  if (other.state !== 'ready' || other.ended) return false;
  return other.slot !== slot && other.generation === generation && other.steady.includes(key);
}
