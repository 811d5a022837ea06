/** A worker's way out: from being sent away, or found unfit, to the kill that is sent until its process has gone. */

import type { Draft } from '../state/draft.js';
import { nobodyServes } from '../state/standing.js';
import { label, policyOf, report } from '../state/state.js';
import type { State, Worker } from '../state/types.js';
import { crashed } from './crash.js';
import { lacks } from './readiness.js';
import { recipientsOf } from './recipients.js';

/** A process may be stuck in the kernel, and a signal may not have been sent: how long until it is killed once more. */
const KILL_AGAIN_MS = 5_000;
const MOST_KILL_AGAIN_MS = 60_000;
/** How long a look at what a worker does may take. */
const LOOK_MS = 1_000;

/** A live worker is found unfit and sent away; counts as a crash, though its process has not ended yet. */
export function fail(draft: Draft, worker: Worker, reason: string, atOnce = false): void {
  worker.endReason = reason;
  report(draft, 'error', 'worker failed', { ...label(worker), reason });
  dismiss(draft, worker);
  crashed(draft, worker, { cause: 'failed', reason, chance: 0.5, atOnce });
}

/**
 * It is not ready, or not ready again, and has had the time for it.
 *
 * @param seen what it does instead of listening; null where that is not known
 */
export function failUnready(draft: Draft, worker: Worker, seen: string | null): void {
  const { ready, readyTimeoutMs } = policyOf(draft.state, worker);
  const lack = lacks(draft.state, worker) ?? contestedBy(worker) ?? worker.healthReason ?? 'its health is not known';
  if (worker.lost.length > 0) {
    fail(draft, worker, `a worker was ready and is no longer: ${lack}`, nobodyServes(draft.state));
    return;
  }
  const hint =
    ready === 'listening' && isSilent(worker)
      ? `${seen === null ? '' : `; ${seen}`}. If it serves no traffic (a queue worker, a bot, cron), set ready: running`
      : '';
  fail(draft, worker, `not ready within ${readyTimeoutMs / 1000} s: ${lack}${hint}`);
}

function contestedBy({ contested }: Worker): string | null {
  if (contested.length === 0) return null;
  return `${contested.join(', ')} could not be opened: another address of this application is in the way — close that one first, or raise readyTimeout`;
}

/** It has never listened nor tried to, as far as can be told. */
function isSilent({ listening, lost, lookedAt, refused }: Worker): boolean {
  return listening.length + lost.length + refused.length === 0 && lookedAt === null;
}

export function terminate(draft: Draft, worker: Worker): void {
  worker.state = 'terminating';
  worker.deadline = draft.now + policyOf(draft.state, worker).killTimeoutMs;
  draft.effects.push({ do: 'terminate', worker: worker.id });
}

export function remove(draft: Draft, worker: Worker): void {
  draft.state.workers = draft.state.workers.filter((candidate) => candidate.id !== worker.id);
}

/** Sends a live worker away; what it has accepted is finished first. */
export function dismiss(draft: Draft, worker: Worker): void {
  if (worker.state !== 'starting' && worker.state !== 'ready') return;
  worker.healthAt = null;
  // One that has been given a socket may have accepted, though it has not said so yet.
  const current = worker.listening.length > 0 ? worker.listening : worker.given;
  // Connections that it has accepted outlive their server.
  const served = current.length > 0 ? current : worker.lost;
  if (served.length === 0 && worker.state === 'starting') {
    terminate(draft, worker);
    return;
  }
  const recipients = recipientsOf(draft.state, { ...worker, listening: served });
  worker.served = [...served];
  worker.state = 'draining';
  const { drainTimeoutMs: windowMs, spreadMs, killTimeoutMs } = policyOf(draft.state, worker);
  // One that is stuck before it can even say that it listens has nothing to finish.
  worker.deadline = draft.now + (isUnheard(worker) ? Math.min(windowMs, killTimeoutMs) : windowMs);
  const reason = hasSuccessor(draft.state, worker) ? 'replaced' : 'stopping';
  const { served: addresses } = worker;
  draft.effects.push({ do: 'drain', worker: worker.id, windowMs, spreadMs, reason, recipients, addresses });
  report(draft, 'info', 'worker draining', label(worker));
}

/** It has been given a socket and has not said yet that it listens there. */
export function isUnheard({ readyAt, listening, given, lost }: Worker): boolean {
  return readyAt === null && lost.length === 0 && listening.length === 0 && given.length > 0;
}

/** Too many of its slot drain: it has had the longest time of them. */
export function cutShort(draft: Draft, worker: Worker, maxDraining: number): void {
  report(draft, 'warn', 'drain cut short', { ...label(worker), maxDraining });
  terminate(draft, worker);
}

/** Whether its slot goes on. */
function hasSuccessor({ phase, size }: State, { slot }: Worker): boolean {
  return phase !== 'stopping' && phase !== 'stopped' && slot < size;
}

export function kill(draft: Draft, worker: Worker): void {
  if (worker.state === 'killing') return;
  worker.state = 'killing';
  sendKill(draft, worker, KILL_AGAIN_MS);
}

function sendKill(draft: Draft, worker: Worker, againMs: number): void {
  worker.killAgainMs = againMs;
  worker.deadline = draft.now + againMs;
  draft.effects.push({ do: 'kill', worker: worker.id });
}

/** What happens when a state has lasted too long. */
export function overdue(draft: Draft, worker: Worker): void {
  const policy = policyOf(draft.state, worker);
  switch (worker.state) {
    case 'starting':
      if (policy.ready === 'listening' && isSilent(worker) && !worker.looking) {
        worker.looking = true;
        worker.deadline = draft.now + LOOK_MS;
        draft.effects.push({ do: 'lookAround', worker: worker.id });
      } else failUnready(draft, worker, null);
      return;
    case 'draining':
      if (!isUnheard(worker)) {
        report(draft, 'warn', 'drain timeout', { ...label(worker), drainTimeoutMs: policy.drainTimeoutMs });
      }
      terminate(draft, worker);
      return;
    case 'terminating':
      if (!worker.hung) {
        report(draft, 'warn', 'kill timeout', { ...label(worker), killTimeoutMs: policy.killTimeoutMs });
      }
      kill(draft, worker);
      return;
    case 'killing':
      report(draft, 'warn', 'worker outlives SIGKILL', { ...label(worker), afterMs: worker.killAgainMs });
      sendKill(draft, worker, Math.min(MOST_KILL_AGAIN_MS, 2 * worker.killAgainMs));
      return;
    case 'ready':
      return;
  }
}
