/**
 * A worker's life: one table, state by event, every cell written. What becomes of its state is in readiness.ts and departure.ts;
 * nobody else assigns it.
 */
import { causeOfDeath } from '../restarts/cause-of-death.js';
import type { Draft, WorkerHandler } from '../state/draft.js';
import type { WorkerEvent, WorkerEventType } from '../state/events.js';
import { nobodyServes } from '../state/standing.js';
import { label, newWorker, policyOf, report } from '../state/state.js';
import type { LiveState } from '../state/types.js';
import { diagnosed, exceeded, healthTold, hung } from './condition.js';
import { BEFORE_READY, crashed, describeExit, describeFailedStart, facts } from './crash.js';
import { fail, failUnready, isUnheard, remove, terminate } from './departure.js';
import { isToBeHeld } from './held.js';
import { closed, closedUnasked } from './loss.js';
import { addressCame, bound, checkReady, stayed } from './readiness.js';
import { recipientsOf } from './recipients.js';
import { recycle } from './recycle.js';
import { comeBack, seized } from './takeover.js';

const RESIGNED = 'it called cluster.worker.disconnect()';

type Row = { readonly [T in WorkerEventType]: WorkerHandler<T> };

/** The event tells nothing that matters in this state; written down so that no cell is forgotten. */
const ignored = (): void => {};

const spawned: WorkerHandler<'spawned'> = (draft, worker, event) => {
  worker.pid = event.pid;
  report(draft, 'info', 'worker started', label(worker));
};

/** It is asked to drain as soon as another one serves in its place. */
const resigned: WorkerHandler<'resigned'> = (draft, worker) => {
  if (worker.recycleReason === null) recycle(draft, worker, RESIGNED, 'find out why the application wants to go');
};

/** How many refusals are remembered: one that looks for a free port meets with many. */
const MOST_REFUSED = 8;

/** It may say that it is ready, having been told that it listens, and nobody could reach it. */
const contested: WorkerHandler<'contested'> = (_draft, worker, { key }) => {
  if (!worker.contested.includes(key)) worker.contested.push(key);
};

/** Its application has been told, and decides what that means: it may wait, take another port, do without, or end. */
const bindFailed: WorkerHandler<'bindFailed'> = (draft, worker, { key, reason, isOurs = false }) => {
  if (isOurs && worker.state === 'starting') {
    fail(draft, worker, reason);
    return;
  }
  addressCame(worker, key, draft.now);
  const others = worker.refused.filter((other) => other.key !== key);
  // One that waits for an address asks again and again.
  if (others.length === worker.refused.length)
    report(draft, 'warn', 'worker cannot listen', { ...label(worker), address: key, reason });
  worker.refused = [...others, { key, reason }].slice(-MOST_REFUSED);
};

const ended: WorkerHandler<'ended'> = (_draft, worker) => {
  worker.ended = true;
};

/** It had begun to accept before it was sent away, and that was still to be heard: it has all the time of a drain. */
const boundLate: WorkerHandler<'bound'> = (draft, worker, { key }) => {
  if (!isUnheard(worker) || !worker.given.includes(key)) return;
  worker.listening.push(key);
  worker.deadline = draft.now + policyOf(draft.state, worker).drainTimeoutMs;
};

/** There may be another one by now; where there is none, its clients are asked to go elsewhere. */
const unlinked: WorkerHandler<'unlinked'> = (draft, worker) => {
  const recipients = recipientsOf(draft.state, { ...worker, listening: worker.served });
  if (recipients.length > 0)
    draft.effects.push({ do: 'link', worker: worker.id, recipients, addresses: worker.served });
};

const failed: WorkerHandler<'failed'> = (draft, worker, { reason }) => fail(draft, worker, reason);

/** The exit that was on its way. */
const left: WorkerHandler<'exited'> = (draft, worker, event) => {
  remove(draft, worker);
  report(draft, 'info', 'worker exited', { ...label(worker), code: event.code, signal: event.signal });
};

const cameBack: WorkerHandler<'attached'> = (draft, worker, event) => comeBack(draft, worker, event);

const LIFECYCLE = {
  starting: {
    // A second time: it is known.
    attached: ignored,
    seized: ignored,
    spawned,
    ended,
    bound,
    stayed,
    closed: closedUnasked,
    saidReady: (draft, worker) => {
      worker.saidReady = true;
      checkReady(draft, worker);
    },
    drained: ignored,
    unlinked: ignored,
    resigned: (draft, worker) => fail(draft, worker, `not ready: ${RESIGNED}`),
    disconnected: (draft, worker, { reason }) =>
      fail(draft, worker, reason ?? 'a worker closed its channel to the supervisor before it was ready'),
    healthTold,
    // The time that it has to become ready tells.
    hung: ignored,
    diagnosed: ignored,
    lookedAround: (draft, worker, { seen }) => {
      if (worker.looking) failUnready(draft, worker, seen);
    },
    exceeded: ignored,
    failed,
    bindFailed,
    contested,
    bindDelayed: (draft, worker, { key, until }) => {
      worker.leftMs ??= Math.max(0, (worker.deadline ?? draft.now) - draft.now);
      if (!worker.awaiting.includes(key)) worker.awaiting.push(key);
      worker.deadline = Math.max(worker.deadline ?? 0, until + worker.leftMs);
    },
    exited: (draft, worker, event) => {
      remove(draft, worker);
      report(draft, 'warn', 'worker exited', { ...label(worker), code: event.code, signal: event.signal });
      const { chance, code } = event;
      const served = worker.lost.length > 0;
      const when = served ? 'after it had closed its server by itself' : BEFORE_READY;
      const reason = describeFailedStart(event, worker, when);
      const atOnce = served && nobodyServes(draft.state);
      crashed(draft, worker, { cause: 'crashed', reason, chance, code, atOnce });
    },
  },
  ready: {
    // A second time: it is known.
    attached: ignored,
    seized: ignored,
    spawned,
    ended,
    bound,
    stayed,
    closed: closedUnasked,
    saidReady: ignored,
    drained: ignored,
    unlinked: ignored,
    resigned,
    disconnected: (draft, worker, { reason }) =>
      fail(draft, worker, reason ?? 'a worker closed its channel to the supervisor'),
    healthTold,
    hung,
    diagnosed: ignored,
    lookedAround: ignored,
    exceeded,
    failed,
    bindFailed,
    contested: ignored,
    bindDelayed: ignored,
    exited: (draft, worker, event) => {
      remove(draft, worker);
      const { code, signal, lastLines, chance } = event;
      const { cause } = causeOfDeath(facts(event));
      report(draft, 'error', 'worker crashed', { ...label(worker), cause, code, signal, lastLines });
      const reason = describeExit(event, 'while it served');
      crashed(draft, worker, { cause: 'crashed', reason, chance, code, atOnce: nobodyServes(draft.state) });
    },
  },
  draining: {
    // A second time: it is known.
    attached: ignored,
    seized: ignored,
    spawned,
    ended,
    bound: boundLate,
    stayed: ignored,
    closed,
    saidReady: ignored,
    drained: (draft, worker) => terminate(draft, worker),
    unlinked,
    resigned: ignored,
    disconnected: ignored,
    healthTold: ignored,
    hung: ignored,
    diagnosed: ignored,
    lookedAround: ignored,
    exceeded: ignored,
    failed: ignored,
    bindFailed: ignored,
    contested: ignored,
    bindDelayed: ignored,
    exited: left,
  },
  terminating: {
    attached: cameBack,
    seized,
    spawned,
    ended,
    // It listens no longer than its way out allows; what comes to wait in that queue is the table's affair.
    bound: ignored,
    stayed: ignored,
    closed,
    saidReady: ignored,
    drained: ignored,
    unlinked: ignored,
    resigned: ignored,
    disconnected: ignored,
    healthTold: ignored,
    hung: ignored,
    diagnosed,
    lookedAround: ignored,
    exceeded: ignored,
    failed: ignored,
    bindFailed: ignored,
    contested: ignored,
    bindDelayed: ignored,
    exited: left,
  },
  killing: {
    attached: ignored,
    seized: ignored,
    spawned,
    ended,
    // It listens no longer than its way out allows; what comes to wait in that queue is the table's affair.
    bound: ignored,
    stayed: ignored,
    closed,
    saidReady: ignored,
    drained: ignored,
    unlinked: ignored,
    resigned: ignored,
    disconnected: ignored,
    healthTold: ignored,
    hung: ignored,
    diagnosed: ignored,
    lookedAround: ignored,
    exceeded: ignored,
    failed: ignored,
    bindFailed: ignored,
    contested: ignored,
    bindDelayed: ignored,
    exited: left,
  },
} satisfies Record<LiveState, Row>;

export function observe(draft: Draft, event: WorkerEvent): void {
  const worker = draft.state.workers.find((candidate) => candidate.id === event.worker);
  // An answer from a worker that is gone: nothing is left that it could concern.
  if (worker === undefined) return;
  const row: Row = LIFECYCLE[worker.state];
  const handler = row[event.type] as WorkerHandler<WorkerEventType>;
  handler(draft, worker, event);
}

export function spawn(draft: Draft, slot: number, generation: number): void {
  const { state, now } = draft;
  const worker = newWorker({ id: state.nextWorker, slot, generation, startedAt: now });
  worker.deadline = now + policyOf(state, worker).readyTimeoutMs;
  state.nextWorker += 1;
  state.workers.push(worker);
  worker.held = isToBeHeld(state, worker);
  draft.effects.push({ do: 'spawn', worker: worker.id, slot, generation, held: worker.held });
}
