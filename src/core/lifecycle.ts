/**
 * A worker's life: one table, state by event, every cell written. The only place that assigns a worker's state.
 */
import { rememberAddresses, requiredAddresses } from './addresses.js';
import { causeOfDeath } from './cause-of-death.js';
import { crashed, describeExit, facts } from './crash.js';
import { heirsOf } from './heirs.js';
import { recycle } from './recycle.js';
import { isOnTrial } from './rollout.js';
import { isSoaked, seats, serves } from './standing.js';
import { label, policyOf, report } from './state.js';
import type { Draft, LiveState, State, Worker, WorkerEvent, WorkerEventType } from './types.js';

/** What a hung worker has left to tell where it hangs, before it is killed. */
export const DIAGNOSIS_MS = 2_500;

/** A process may be stuck in the kernel, and a signal may not have been sent: how long until it is killed once more. */
export const KILL_AGAIN_MS = 5_000;
const MOST_KILL_AGAIN_MS = 60_000;

type Handler<T extends WorkerEventType> = (
  draft: Draft,
  worker: Worker,
  event: Extract<WorkerEvent, { type: T }>,
) => void;
type Row = { readonly [T in WorkerEventType]: Handler<T> };

/** The event tells nothing that matters in this state; written down so that no cell is forgotten. */
const ignored = (): void => {};

const spawned: Handler<'spawned'> = (draft, worker, event) => {
  worker.pid = event.pid;
  report(draft, 'info', 'worker started', label(worker));
};

const bound: Handler<'bound'> = (draft, worker, event) => {
  if (!worker.listening.includes(event.key)) worker.listening.push(event.key);
  addressCame(worker, event.key, draft.now);
  report(draft, 'info', 'worker bound', { ...label(worker), address: event.key });
  if (worker.state === 'ready') rememberAddresses(draft.state, worker);
  else checkReady(draft, worker);
};

const healthTold: Handler<'healthTold'> = (draft, worker, { reason }) => {
  worker.healthReason = reason;
  if (reason === null) worker.healthy = true;
  if (worker.state === 'starting') checkReady(draft, worker);
  else if (reason !== null && !isSoaked(draft.state, worker, draft.now))
    fail(draft, worker, `a worker did not stay healthy: ${reason}`);
  if (seats(worker) && wantsHealth(draft.state, worker, draft.now)) {
    worker.healthAt = draft.now + policyOf(draft.state, worker).healthIntervalMs;
  }
};

const exceeded: Handler<'exceeded'> = (draft, worker, { limit, reason }) => {
  if (worker.recycleReason !== null) return;
  // Memory and delay say something of a release; requests only that it is used, and its age nothing at all.
  const isTelling = limit === 'maxMemory' || limit === 'maxEventLoopDelay';
  if (isTelling && isOnTrial(draft.state, worker.generation)) {
    fail(draft, worker, `a worker came to a limit: ${reason}`);
    return;
  }
  recycle(draft, worker, limit, reason);
};

/** Its loop does not turn: it can neither be drained nor asked to end, and what it has is lost. */
const hung: Handler<'hung'> = (draft, worker, { silentMs }) => {
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
const diagnosed: Handler<'diagnosed'> = (draft, worker) => {
  if (worker.hung) kill(draft, worker);
};

const closed: Handler<'closed'> = (draft, worker, event) => {
  worker.listening = worker.listening.filter((key) => key !== event.key);
  worker.given = worker.given.filter((key) => key !== event.key);
  report(draft, 'info', 'worker closed', { ...label(worker), address: event.key });
};

const ended: Handler<'ended'> = (_draft, worker) => {
  worker.ended = true;
};

/** It had begun to accept before it was sent away, and that was still to be heard: it has all the time of a drain. */
const boundLate: Handler<'bound'> = (draft, worker, { key }) => {
  if (!isUnheard(worker) || !worker.given.includes(key)) return;
  worker.listening.push(key);
  worker.deadline = draft.now + policyOf(draft.state, worker).drainTimeoutMs;
};

/** There may be another one by now; where there is none, its clients are asked to go elsewhere. */
const unlinked: Handler<'unlinked'> = (draft, worker) => {
  const heirs = heirsOf(draft.state, { ...worker, listening: worker.served });
  if (heirs.length > 0) draft.effects.push({ do: 'link', worker: worker.id, heirs, addresses: worker.served });
};

const failed: Handler<'failed'> = (draft, worker, { reason }) => fail(draft, worker, reason);

/** The exit that was on its way. */
const left: Handler<'exited'> = (draft, worker, event) => {
  remove(draft, worker);
  report(draft, 'info', 'worker exited', { ...label(worker), code: event.code, signal: event.signal });
};

const LIFECYCLE = {
  starting: {
    spawned,
    ended,
    bound,
    closed,
    saidReady: (draft, worker) => {
      worker.saidReady = true;
      checkReady(draft, worker);
    },
    drained: ignored,
    unlinked: ignored,
    disconnected: (draft, worker, { reason }) =>
      fail(draft, worker, reason ?? 'a worker closed its channel to the supervisor before it was ready'),
    healthTold,
    // The time that it has to become ready tells.
    hung: ignored,
    diagnosed: ignored,
    exceeded: ignored,
    failed,
    bindFailed: (draft, worker, event) => fail(draft, worker, event.reason),
    bindDelayed: (draft, worker, { key, until }) => {
      worker.leftMs ??= Math.max(0, (worker.deadline ?? draft.now) - draft.now);
      if (!worker.awaiting.includes(key)) worker.awaiting.push(key);
      worker.deadline = Math.max(worker.deadline ?? 0, until + worker.leftMs);
    },
    exited: (draft, worker, event) => {
      remove(draft, worker);
      report(draft, 'warn', 'worker exited', { ...label(worker), code: event.code, signal: event.signal });
      const { chance, code } = event;
      crashed(draft, worker, { cause: 'crashed', reason: describeExit(event, 'before it was ready'), chance, code });
    },
  },
  ready: {
    spawned,
    ended,
    bound,
    closed,
    saidReady: ignored,
    drained: ignored,
    unlinked: ignored,
    disconnected: (draft, worker, { reason }) =>
      fail(draft, worker, reason ?? 'a worker closed its channel to the supervisor'),
    healthTold,
    hung,
    diagnosed: ignored,
    exceeded,
    failed,
    bindFailed: (draft, worker, event) => {
      // The application asked for one more address while it serves: its own error handler decides what that means.
      report(draft, 'warn', 'worker cannot listen', { ...label(worker), address: event.key, reason: event.reason });
    },
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
    spawned,
    ended,
    bound: boundLate,
    closed,
    saidReady: ignored,
    drained: (draft, worker) => terminate(draft, worker),
    unlinked,
    disconnected: ignored,
    healthTold: ignored,
    hung: ignored,
    diagnosed: ignored,
    exceeded: ignored,
    failed: ignored,
    bindFailed: ignored,
    bindDelayed: ignored,
    exited: left,
  },
  terminating: {
    spawned,
    ended,
    // It listens no longer than its way out allows; what comes to wait in that queue is the table's affair.
    bound: ignored,
    closed,
    saidReady: ignored,
    drained: ignored,
    unlinked: ignored,
    disconnected: ignored,
    healthTold: ignored,
    hung: ignored,
    diagnosed,
    exceeded: ignored,
    failed: ignored,
    bindFailed: ignored,
    bindDelayed: ignored,
    exited: left,
  },
  killing: {
    spawned,
    ended,
    // It listens no longer than its way out allows; what comes to wait in that queue is the table's affair.
    bound: ignored,
    closed,
    saidReady: ignored,
    drained: ignored,
    unlinked: ignored,
    disconnected: ignored,
    healthTold: ignored,
    hung: ignored,
    diagnosed: ignored,
    exceeded: ignored,
    failed: ignored,
    bindFailed: ignored,
    bindDelayed: ignored,
    exited: left,
  },
} satisfies Record<LiveState, Row>;

export function observe(draft: Draft, event: WorkerEvent): void {
  const worker = draft.state.workers.find((candidate) => candidate.id === event.worker);
  // An answer from a worker that is gone: nothing is left that it could concern.
  if (worker === undefined) return;
  const row: Row = LIFECYCLE[worker.state];
  const handler = row[event.type] as Handler<WorkerEventType>;
  handler(draft, worker, event);
}

export function spawn(draft: Draft, slot: number, generation: number): void {
  const { state, now } = draft;
  const worker: Worker = {
    id: state.nextWorker,
    slot,
    generation,
    startedAt: now,
    pid: null,
    state: 'starting',
    deadline: null,
    awaiting: [],
    leftMs: null,
    readyAt: null,
    saidReady: false,
    askedHealth: false,
    healthy: false,
    healthAt: null,
    healthReason: null,
    recycleReason: null,
    listening: [],
    given: [],
    served: [],
    held: false,
    ended: false,
    hung: false,
    killAgainMs: 0,
    endReason: null,
  };
  worker.deadline = now + policyOf(state, worker).readyTimeoutMs;
  state.nextWorker += 1;
  state.workers.push(worker);
  worker.held = isToBeHeld(state, worker);
  draft.effects.push({ do: 'spawn', worker: worker.id, slot, generation, held: worker.held });
}

/** A release that asks for health or a soak gets no client before it has passed, as long as another one serves them. */
function isToBeHeld(state: State, worker: Worker): boolean {
  const { health, soakMs } = policyOf(state, worker);
  return (health || soakMs > 0) && isOnTrial(state, worker.generation) && hasElder(state, worker);
}

/** Whether somebody else accepts on its sockets, on all of them. */
function hasElder({ workers, listenMode }: State, { id, slot, listening }: Worker): boolean {
  const elders = workers.filter((other) => {
    const shares = listenMode === 'reuseaddr' || other.slot === slot;
    return other.id !== id && shares && serves(other);
  });
  return elders.length > 0 && listening.every((key) => elders.some((elder) => elder.listening.includes(key)));
}

/** Who has passed accepts, and who would be the only one to. */
export function releaseHeld(draft: Draft): void {
  const { state, now } = draft;
  for (const worker of state.workers) {
    if (!worker.held || worker.state !== 'ready' || worker.ended) continue;
    if (!isSoaked(state, worker, now) && hasElder(state, worker)) continue;
    worker.held = false;
    draft.effects.push({ do: 'accept', worker: worker.id });
  }
}

/** Sends a live worker away; what it has accepted is finished first. */
export function dismiss(draft: Draft, worker: Worker): void {
  if (worker.state !== 'starting' && worker.state !== 'ready') return;
  worker.healthAt = null;
  // One that has been given a socket may have accepted, though it has not said so yet.
  const served = worker.listening.length > 0 ? worker.listening : worker.given;
  if (served.length === 0 && worker.state === 'starting') {
    terminate(draft, worker);
    return;
  }
  const heirs = heirsOf(draft.state, { ...worker, listening: served });
  worker.served = [...served];
  worker.state = 'draining';
  const { drainTimeoutMs: windowMs, spreadMs, killTimeoutMs } = policyOf(draft.state, worker);
  // One that is stuck before it can even say that it listens has nothing to finish.
  worker.deadline = draft.now + (isUnheard(worker) ? Math.min(windowMs, killTimeoutMs) : windowMs);
  const reason = hasSuccessor(draft.state, worker) ? 'replaced' : 'stopping';
  const { served: addresses } = worker;
  draft.effects.push({ do: 'drain', worker: worker.id, windowMs, spreadMs, reason, heirs, addresses });
  report(draft, 'info', 'worker draining', label(worker));
}

/** It has been given a socket and has not said yet that it listens there. */
function isUnheard({ readyAt, listening, given }: Worker): boolean {
  return readyAt === null && listening.length === 0 && given.length > 0;
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

/** An address that it has waited for is there: its own time goes on. */
function addressCame(worker: Worker, key: string, now: number): void {
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
function wantsHealth(state: State, worker: Worker, now: number): boolean {
  if (!policyOf(state, worker).health) return false;
  return worker.state === 'starting' || !isSoaked(state, worker, now);
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
      fail(
        draft,
        worker,
        `not ready within ${policy.readyTimeoutMs / 1000} s: ${lacks(draft.state, worker) ?? worker.healthReason ?? 'its health is not known'}`,
      );
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

function checkReady(draft: Draft, worker: Worker): void {
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
function lacks(state: State, worker: Worker): string | null {
  const { listening } = worker;
  const byMessage = policyOf(state, worker).ready === 'message';
  if (byMessage && !worker.saidReady) return `it did not send 'ready'`;
  if (!byMessage && listening.length === 0) return 'it did not listen on any address';
  const missing = requiredAddresses(state, worker).filter((key) => !listening.includes(key));
  if (missing.length === 0) return null;
  const present = listening.length === 0 ? 'no address' : listening.join(', ');
  return `it listens on ${present}, but not on ${missing.join(', ')} as its predecessor does`;
}

/** A live worker is found unfit and sent away; counts as a crash, though its process has not ended yet. */
function fail(draft: Draft, worker: Worker, reason: string): void {
  worker.endReason = reason;
  report(draft, 'error', 'worker failed', { ...label(worker), reason });
  dismiss(draft, worker);
  crashed(draft, worker, { cause: 'failed', reason, chance: 0.5 });
}

function terminate(draft: Draft, worker: Worker): void {
  worker.state = 'terminating';
  worker.deadline = draft.now + policyOf(draft.state, worker).killTimeoutMs;
  draft.effects.push({ do: 'terminate', worker: worker.id });
}

function remove(draft: Draft, worker: Worker): void {
  draft.state.workers = draft.state.workers.filter((candidate) => candidate.id !== worker.id);
}

function nobodyServes({ workers }: State): boolean {
  return !workers.some(({ state, ended }) => state === 'ready' && !ended);
}
