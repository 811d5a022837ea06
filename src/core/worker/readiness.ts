/** When a worker is ready, what it lacks until then, and when its health is asked for. */

import { coversKey } from '../adoption/overlap.js';
import { addAddress, isFixed, rememberAddresses, requiredAddresses, strangerTo } from '../rollout/addresses.js';
import type { Draft } from '../state/draft.js';
import { isFirst, isSoaked, seats } from '../state/standing.js';
import { label, policyOf, report, shown } from '../state/state.js';
import type { State, Worker } from '../state/types.js';

export function bound(
  draft: Draft,
  worker: Worker,
  { key, address }: { readonly key: string; readonly address?: string },
): void {
  if (!worker.listening.includes(key)) worker.listening.push(key);
  worker.givenUp = worker.givenUp.filter((other) => other !== key);
  worker.refused = worker.refused.filter((other) => other.key !== key);
  addressCame(worker, key, draft.now);
  if (address !== undefined) worker.shown = { ...worker.shown, [key]: address };
  report(draft, 'info', 'worker bound', { ...label(worker), address: address ?? key });
  if (hasProvenLike(draft.state, worker)) {
    worker.assumed.push(key);
    count(draft, worker, key);
  }
  contestOver(draft, worker, key);
}

/** Only now does it count: a program that looks whether its port is free has closed it again by now. */
export function stayed(draft: Draft, worker: Worker, { key }: { readonly key: string }): void {
  worker.assumed = worker.assumed.filter((other) => other !== key);
  if (worker.listening.includes(key)) count(draft, worker, key);
}

function count(draft: Draft, worker: Worker, key: string): void {
  if (!worker.steady.includes(key)) worker.steady.push(key);
  worker.lost = worker.lost.filter((other) => other !== key);
  if (worker.state === 'ready') addAddress(draft.state, worker, key, draft.now);
  else checkReady(draft, worker);
}

/** An address that it has waited for is there: its own time goes on. */
export function addressCame(worker: Worker, key: string, now: number): void {
  worker.awaiting = worker.awaiting.filter((other) => other !== key);
  if (worker.leftMs === null || worker.awaiting.length > 0) return;
  if (worker.state === 'starting') worker.deadline = now + worker.leftMs;
  worker.leftMs = null;
}

/** Its health is to be asked now. */
export function askHealth(draft: Draft, worker: Worker): void {
  worker.healthAt = null;
  if (seats(worker) && wantsHealth(draft.state, worker, draft.now)) {
    worker.owesHealth = true;
    draft.effects.push({ do: 'askHealth', worker: worker.id });
  }
}

/** Until it is ready, and while it soaks: later its requests tell. */
export function wantsHealth(state: State, worker: Worker, now: number): boolean {
  if (!policyOf(state, worker).health) return false;
  return worker.state === 'starting' || !isSoaked(state, worker, now);
}

/** The socket of a contested address has come, or is no longer wanted. */
export function contestOver(draft: Draft, worker: Worker, key: string): void {
  if (!worker.contested.includes(key)) return;
  worker.contested = worker.contested.filter((other) => other !== key);
  if (worker.state === 'starting') checkReady(draft, worker);
}

export function checkReady(draft: Draft, worker: Worker): void {
  if (lacks(draft.state, worker) !== null || worker.contested.length > 0) return;
  const { health, healthIntervalMs, soakMs, trialMs } = policyOf(draft.state, worker);
  if (health && !worker.healthy) {
    // Only now is there somebody to ask; between two questions, and while an answer is awaited, nothing is to be done.
    if (!worker.owesHealth && worker.healthAt === null) askHealth(draft, worker);
    return;
  }
  worker.state = 'ready';
  worker.readyAt = draft.now;
  if (!worker.held) worker.acceptsSince = draft.now;
  worker.deadline = null;
  worker.lost = [];
  worker.refused = [];
  worker.lasting = [...worker.listening];
  const asksAgain = wantsHealth(draft.state, worker, draft.now) && !worker.owesHealth;
  worker.healthAt = asksAgain ? draft.now + healthIntervalMs : null;
  rememberAddresses(draft.state, worker);
  report(draft, 'info', 'worker ready', { ...label(worker), afterMs: Math.round(draft.now - worker.startedAt) });
  tellStranger(draft, worker);
  if (isFirst(draft.state, worker) && trialMs > 0) {
    report(draft, 'info', 'on trial', { ...label(worker), forMs: Math.max(soakMs, trialMs) });
  }
}

/** Applications that take another port when theirs is taken find that it is: by their own other workers. */
function tellStranger(draft: Draft, worker: Worker): void {
  const other = strangerTo(draft.state, worker);
  if (other === null) return;
  const hint =
    'the workers are to listen on the same address: keep the application from taking another port when its own answers already';
  report(draft, 'warn', 'workers listen on different addresses', {
    ...label(worker),
    addresses: worker.listening,
    otherSlot: other.slot,
    otherAddresses: other.listening,
    hint,
  });
}

/** When it has been up for long enough to be ready without a word of its own; null where it is not waited for. */
export function readyByUptimeAt(state: State, worker: Worker): number | null {
  const { ready, minUptimeMs } = policyOf(state, worker);
  if (ready !== 'running' || worker.state !== 'starting' || worker.saidReady) return null;
  return worker.startedAt + minUptimeMs;
}

/** Another one of its generation shows that they do not look first: what they open stays open, and counts at once. */
function hasProvenLike({ workers }: State, { id, generation }: Worker): boolean {
  return workers.some(
    (other) =>
      other.id !== id &&
      other.generation === generation &&
      other.state === 'ready' &&
      other.steady.length > 0 &&
      other.lookedAt === null,
  );
}

/** What a worker still has to do before it is ready; null when it is. */
export function lacks(state: State, worker: Worker): string | null {
  const { listening, steady, lost, lookedAt, refused } = worker;
  const { ready } = policyOf(state, worker);
  const told = refused.map(({ reason }) => `; ${reason}`).join('');
  if (ready === 'message' && !worker.saidReady) return `it did not send 'ready'${told}`;
  const isLost = ready === 'listening' ? lost.length > 0 : lost.some(isFixed);
  if (steady.length === 0 && isLost)
    return `it has closed ${lost.map((key) => shown(worker, key)).join(', ')} by itself${told}`;
  if (ready === 'listening' && steady.length === 0) {
    return lookedAt === null
      ? `it did not listen on any address${told}`
      : `it listened on ${lookedAt} for a moment only, and has closed it by itself${told}`;
  }
  const upAt = readyByUptimeAt(state, worker);
  if (upAt !== null && state.steppedAt < upAt) return 'it was not up for long enough';
  const missing = requiredAddresses(state, worker).filter((key) => !isListenedOn(steady, key));
  if (missing.length === 0) return null;
  const present = listening.length === 0 ? 'no address' : listening.map((key) => shown(worker, key)).join(', ');
  const hint = told === '' ? ' — addresses are changed by restart' : told;
  return `it listens on ${present}, but not on ${missing.join(', ')} as its predecessor does${hint}`;
}

/** Or on one that takes it in: it accepts on the older socket then, too. */
function isListenedOn(listening: readonly string[], key: string): boolean {
  return listening.includes(key) || listening.some((own) => coversKey(own, key));
}
