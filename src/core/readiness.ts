/** When a worker is ready, what it lacks until then, and when its health is asked for. */
import { rememberAddresses, requiredAddresses } from './addresses.js';
import { isSoaked, seats } from './standing.js';
import { label, policyOf, report } from './state.js';
import type { Draft, State, Worker } from './types.js';

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
    draft.effects.push({ do: 'askHealth', worker: worker.id });
  }
}

/** Until it is ready, and while it soaks: later its requests tell. */
export function wantsHealth(state: State, worker: Worker, now: number): boolean {
  if (!policyOf(state, worker).health) return false;
  return worker.state === 'starting' || !isSoaked(state, worker, now);
}

export function checkReady(draft: Draft, worker: Worker): void {
  if (lacks(draft.state, worker) !== null) return;
  if (policyOf(draft.state, worker).health && !worker.healthy) {
    // Only now is there somebody to ask; between two questions, and while an answer is awaited, nothing is to be done.
    if (worker.askedHealth) return;
    worker.askedHealth = true;
    askHealth(draft, worker);
    return;
  }
  worker.state = 'ready';
  worker.readyAt = draft.now;
  worker.deadline = null;
  worker.healthAt = wantsHealth(draft.state, worker, draft.now)
    ? draft.now + policyOf(draft.state, worker).healthIntervalMs
    : null;
  rememberAddresses(draft.state, worker);
  report(draft, 'info', 'worker ready', { ...label(worker), afterMs: draft.now - worker.startedAt });
}

/** What a worker still has to do before it is ready; null when it is. */
export function lacks(state: State, worker: Worker): string | null {
  const { listening } = worker;
  const byMessage = policyOf(state, worker).ready === 'message';
  if (byMessage && !worker.saidReady) return `it did not send 'ready'`;
  if (!byMessage && listening.length === 0) return 'it did not listen on any address';
  const missing = requiredAddresses(state, worker).filter((key) => !listening.includes(key));
  if (missing.length === 0) return null;
  const present = listening.length === 0 ? 'no address' : listening.map((key) => worker.shown?.[key] ?? key).join(', ');
  return `it listens on ${present}, but not on ${missing.join(', ')} as its predecessor does`;
}
