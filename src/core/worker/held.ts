/** Workers that accept nothing yet: as long as somebody else serves their clients, those that are not ready or on trial. */

import type { AddressKey } from '../../protocol/worker.js';
import { isOnTrial } from '../rollout/rollout.js';
import type { Draft } from '../state/draft.js';
import { isFirst, isSoaked, serves } from '../state/standing.js';
import { policyOf } from '../state/state.js';
import type { State, Worker } from '../state/types.js';

/**
 * One that is not ready may only be looking whether the port is free: whom it accepted would never be answered. So it gets no
 * client as long as another one serves them.
 */
export function isToBeHeld(state: State, worker: Worker): boolean {
  return !policyOf(state, worker).cannotWait && servingOf(state, worker).length > 0;
}

/** The first worker of a release, and all of one that asks for health or a soak, have to pass before they get a client. */
function isTested(state: State, worker: Worker): boolean {
  const { health, soakMs, trialMs } = policyOf(state, worker);
  const asksMore = health || soakMs > 0 || (trialMs > 0 && isFirst(state, worker));
  return asksMore && isOnTrial(state, worker.generation);
}

/** Those who accept on the sockets of its slot. */
function servingOf(state: State, worker: Worker): Worker[] {
  return sharersOf(state, worker).filter(serves);
}

function sharersOf({ workers, listenMode }: State, { id, slot }: Worker): Worker[] {
  return workers.filter((other) => other.id !== id && (listenMode === 'reuseaddr' || other.slot === slot));
}

/** Who is ready or has passed accepts, and who would be the only one to. */
export function releaseHeld(draft: Draft): void {
  const { workers } = draft.state;
  // One that is not ready need not, where one that is can.
  for (const state of ['ready', 'starting'] as const) {
    for (const worker of workers) {
      if (!worker.held || worker.ended || worker.state !== state || !mayAccept(draft, worker)) continue;
      worker.held = false;
      if (state === 'ready') worker.acceptsSince = draft.now;
      draft.effects.push({ do: 'accept', worker: worker.id });
    }
  }
}

function mayAccept({ state, now }: Draft, worker: Worker): boolean {
  const serving = servingOf(state, worker);
  // It has nobody's clients to spare, as at a first start.
  if (worker.state === 'starting') return serving.length === 0 && !isTested(state, worker);
  if (serving.length === 0 || isLastOnAny(state, worker)) return true;
  return !isPassedOver(state, worker) && (isSoaked(state, worker, now) || worker.generation === state.stable);
}

/** What somebody has served, and serves no more, has clients, who would wait; what nobody has ever served has none. */
function isLastOnAny(state: State, worker: Worker): boolean {
  const others = sharersOf(state, worker);
  const isServed = (key: AddressKey) => others.some((other) => serves(other) && other.listening.includes(key));
  const wasServed = (key: AddressKey) => others.some(({ served, givenUp }) => [...served, ...givenUp].includes(key));
  return worker.listening.some((key) => wasServed(key) && !isServed(key));
}

/** Its release was superseded or rolled back before it had proved itself: it only waits for its end. */
function isPassedOver({ target, rollout }: State, { generation }: Worker): boolean {
  return generation !== target && !(rollout.state === 'running' && rollout.to === generation);
}
