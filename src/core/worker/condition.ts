/** How a worker does: what its health, its limits and its event loop tell of it, and what that means. */

import { isOnTrial } from '../rollout/rollout.js';
import type { WorkerHandler } from '../state/draft.js';
import { isSoaked, seats } from '../state/standing.js';
import { label, policyOf, report } from '../state/state.js';
import { crashed } from './crash.js';
import { fail, kill } from './departure.js';
import { checkReady, wantsHealth } from './readiness.js';
import { recycle } from './recycle.js';

/** What a hung worker has left to tell where it hangs, before it is killed. */
export const DIAGNOSIS_MS = 2_500;

export const healthTold: WorkerHandler<'healthTold'> = (draft, worker, { reason }) => {
  worker.owesHealth = false;
  worker.healthReason = reason;
  if (reason === null) worker.healthy = true;
  if (seats(worker) && wantsHealth(draft.state, worker, draft.now)) {
    worker.healthAt = draft.now + policyOf(draft.state, worker).healthIntervalMs;
  }
  if (worker.state === 'starting') checkReady(draft, worker);
  else if (reason !== null && !isSoaked(draft.state, worker, draft.now))
    fail(draft, worker, `a worker did not stay healthy: ${reason}`);
};

export const exceeded: WorkerHandler<'exceeded'> = (draft, worker, { limit, reason }) => {
  if (worker.recycleReason !== null) return;
  // Memory and delay say something of a release; requests only that it is used, and its age nothing at all.
  const isTelling = limit === 'maxMemory' || limit === 'maxEventLoopDelay';
  if (isTelling && isOnTrial(draft.state, worker.generation)) {
    fail(draft, worker, `a worker came to a limit: ${reason}`);
    return;
  }
  recycle(draft, worker, reason, `raise ${limit}, or find out what it needs that for`);
};

/** Its loop does not turn: it can neither be drained nor asked to end, and what it has is lost. */
export const hung: WorkerHandler<'hung'> = (draft, worker, { silentMs }) => {
  const reason = `the event loop of a worker hung: no sign of life for ${Math.round(silentMs / 100) / 10} s`;
  worker.endReason = reason;
  worker.hung = true;
  report(draft, 'error', 'worker hung', { ...label(worker), silentMs: Math.round(silentMs) });
  worker.state = 'terminating';
  worker.healthAt = null;
  worker.deadline = draft.now + DIAGNOSIS_MS;
  draft.effects.push({ do: 'diagnose', worker: worker.id });
  crashed(draft, worker, { cause: 'hung', reason, chance: 0.5, atOnce: true });
};

/** What a hung worker was given time for. */
export const diagnosed: WorkerHandler<'diagnosed'> = (draft, worker) => {
  if (worker.hung) kill(draft, worker);
};
