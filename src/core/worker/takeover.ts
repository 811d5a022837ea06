/**
 * How the workers of a supervisor that has gone become those of this one. They come by themselves, one by one: who is there is
 * taken in, who is late is waited for, who has ended is forgotten, and who is stuck is given up: its sockets are taken from it,
 * and it is killed once another worker accepts on them.
 *
 * Until all are settled nothing is started or bound: a worker that is still to come may hold the socket of a slot.
 */

import type { Draft } from '../state/draft.js';
import type { Event, WorkerEvent } from '../state/events.js';
import { seats, serves } from '../state/standing.js';
import { isUp, label, newWorker, policyOf, report, slotOf, workersOf } from '../state/state.js';
import type { Before, Orphan, State, Takeover, Worker } from '../state/types.js';
import { dismiss, kill, terminate } from './departure.js';
import { isToBeHeld } from './held.js';
import { checkReady } from './readiness.js';

/** How long a worker may take to attach: its loop may be blocked. */
export const ATTACH_MS = 5_000;
/** How long its sockets may take to be had, and a process that is killed to end. */
export const SEIZE_MS = 3_000;

type Attached = Extract<WorkerEvent, { type: 'attached' }>;

const STUCK = 'it did not come to the supervisor that has taken over: its event loop does not turn';

export function orphansFound(draft: Draft, { orphans, before }: Extract<Event, { type: 'orphansFound' }>): void {
  const { state, now } = draft;
  if (orphans.length === 0) return;
  if (before !== undefined) goOnWith(state, before);
  state.takeover = { awaited: [...orphans], seized: [], until: now + ATTACH_MS };
  for (const orphan of orphans) noteNumbers(state, orphan);
  report(draft, 'info', 'taking over workers', { workers: orphans.length });
}

function goOnWith(state: State, before: Before): void {
  const { generation, nextWorker, size, configuredSize, totals, slots, rollout } = before;
  state.generation = Math.max(state.generation, generation);
  state.nextWorker = Math.max(state.nextWorker, nextWorker);
  // It was scaled by hand, and the configuration asks for what it asked for then.
  if (size !== null && configuredSize === state.size) state.size = size;
  state.totals = structuredClone(totals);
  if (rollout !== null) state.rollout = { ...state.rollout, ...rollout };
  for (let slot = 0; slot < state.size; slot++) slotOf(state, slot);
  for (const { slot, ...own } of slots) if (slot < state.size) Object.assign(slotOf(state, slot), own);
}

/** Numbers are never used again. As long as nobody has attached, the newest generation is that of all of them. */
function noteNumbers(state: State, { worker, generation }: { readonly worker: number; readonly generation: number }) {
  state.nextWorker = Math.max(state.nextWorker, worker + 1);
  state.generation = Math.max(state.generation, generation);
  const policy = state.policies[state.target];
  // What runs does not change for one that comes later: it is let go.
  if (state.takeover === null || generation <= state.target || policy === undefined) return;
  state.policies = { [generation]: policy };
  state.target = generation;
  state.stable = generation;
}

/** There is no worker of that number, or one that was given up and has not been killed. */
export function mayAttach({ workers }: State, id: number): boolean {
  const known = workers.find((worker) => worker.id === id);
  return known === undefined || (known.unattached && known.state === 'terminating');
}

/** It is none of the workers that are known. */
export function admit(draft: Draft, event: Attached): void {
  const { state, now } = draft;
  const { takeover } = state;
  const worker = newWorker({ ...event, id: event.worker, startedAt: now - event.uptimeMs });
  noteNumbers(state, event);
  // All that is known of its release is what this supervisor has read.
  const policy = state.policies[state.target];
  if (policy !== undefined) state.policies[event.generation] ??= policy;
  state.workers.push(worker);
  if (takeover !== null) takeover.awaited = takeover.awaited.filter((orphan) => orphan.worker !== event.worker);
  hear(worker, event);
  takeIn(draft, worker);
  if (event.draining) goOnDraining(draft, worker, event);
  else if (!isUp(state) || (takeover === null && !isMissing(state, worker))) leave(draft, worker);
  else {
    worker.deadline = now + policyOf(state, worker).readyTimeoutMs;
    if (worker.generation === state.stable) checkReady(draft, worker);
  }
}

/** One that was given up has come after all. Another one is in its place, or about to be. */
export function comeBack(draft: Draft, worker: Worker, event: Attached): void {
  if (!worker.unattached) return;
  worker.unattached = false;
  worker.hung = false;
  worker.endReason = null;
  hear(worker, event);
  takeIn(draft, worker);
  if (event.draining) goOnDraining(draft, worker, event);
  else leave(draft, worker);
}

function hear(worker: Worker, { pid, saidReady, held, listening, steady }: Attached): void {
  worker.pid = pid;
  worker.saidReady = saidReady;
  worker.held = held;
  // One that accepts has shown what it was asked for; and its clients would not be served better without it.
  worker.healthy = !held;
  worker.listening = [...new Set(listening)];
  worker.steady = worker.listening.filter((key) => steady.includes(key));
}

function takeIn(draft: Draft, worker: Worker): void {
  const { id, slot, generation } = worker;
  report(draft, 'info', 'worker attached', label(worker));
  draft.effects.push({ do: 'takeIn', worker: id, slot, generation });
}

function goOnDraining(draft: Draft, worker: Worker, { drained }: Attached): void {
  worker.state = 'draining';
  worker.served = [...worker.listening];
  worker.deadline = draft.now + policyOf(draft.state, worker).drainTimeoutMs;
  if (drained) terminate(draft, worker);
}

/** It may have connections, whether it listens or not. */
function leave(draft: Draft, worker: Worker): void {
  worker.state = 'ready';
  dismiss(draft, worker);
}

/** Who comes late stays where its seat is empty. */
function isMissing(state: State, { id, slot, generation }: Worker): boolean {
  if (slot >= state.size || generation !== state.target) return false;
  return !workersOf(state, slot).some((other) => other.id !== id && seats(other));
}

/** One of those who are awaited has ended. */
export function orphanEnded({ takeover }: State, worker: number): void {
  if (takeover === null) return;
  takeover.awaited = takeover.awaited.filter((orphan) => orphan.worker !== worker);
  takeover.seized = takeover.seized.filter((id) => id !== worker);
}

/** Of one that is given up. */
export function seized(draft: Draft, worker: Worker, { reason }: Extract<WorkerEvent, { type: 'seized' }>): void {
  const { state, now } = draft;
  if (!worker.unattached) return;
  if (reason !== null) {
    report(draft, 'warn', 'cannot take the sockets of a stuck worker', { ...label(worker), reason });
    // Its addresses are bound anew once it has gone: `seized` goes on to name it until then.
    kill(draft, worker);
    return;
  }
  worker.deadline = now + policyOf(state, worker).readyTimeoutMs;
  orphanEnded(state, worker.id);
}

/** @returns whether somebody is still waited for */
export function isTakingOver(draft: Draft): boolean {
  const { state, now } = draft;
  const { takeover } = state;
  if (takeover === null) return false;
  if (now >= takeover.until) {
    takeover.seized = [];
    for (const orphan of takeover.awaited.splice(0)) giveUp(draft, takeover, orphan);
    takeover.until = now + SEIZE_MS;
  }
  if (takeover.awaited.length + takeover.seized.length > 0) return true;
  endTakeover(draft);
  return false;
}

/** Those who have not come are killed now. */
export function giveUpAll(draft: Draft): void {
  const { state, now } = draft;
  if (state.takeover === null) return;
  state.takeover.until = now;
  isTakingOver(draft);
}

function giveUp(draft: Draft, takeover: Takeover, { worker: id, slot, generation, pid }: Orphan): void {
  const { state, now } = draft;
  const worker = newWorker({ id, slot, generation, startedAt: now });
  Object.assign(worker, { pid, state: 'terminating', hung: true, unattached: true, endReason: STUCK });
  state.workers.push(worker);
  report(draft, 'error', 'worker does not attach', { ...label(worker), afterMs: ATTACH_MS });
  takeover.seized.push(id);
  if (!isUp(state)) {
    kill(draft, worker);
    return;
  }
  const own = slotOf(state, slot);
  own.restarts += 1;
  own.reason = STUCK;
  state.totals.restarts.hung += 1;
  worker.deadline = now + SEIZE_MS;
  draft.effects.push({ do: 'seize', worker: id });
}

/** Those who were given up have held on to what they had accepted for long enough: another worker accepts in their place. */
export function killReplaced(draft: Draft): void {
  const { state } = draft;
  for (const worker of state.workers) {
    if (!worker.unattached || worker.state !== 'terminating') continue;
    if (worker.slot >= state.size || workersOf(state, worker.slot).some(serves)) kill(draft, worker);
  }
}

function endTakeover(draft: Draft): void {
  const { state } = draft;
  state.takeover = null;
  // They came in any order.
  state.workers.sort((a, b) => a.id - b.id);
  const held: number[] = [];
  draft.effects.push({ do: 'endTakeover', held });
  if (!isUp(state)) return;
  // Whatever happened meanwhile: each slot has its try now.
  for (const slot of state.slots) Object.assign(slot, { failedStart: false, retryAt: null });
  state.failureReason = null;
  settleSlots(draft);
  settleGenerations(state);
  for (const worker of state.workers.filter(({ state: own }) => own === 'starting')) {
    worker.deadline = draft.now + policyOf(state, worker).readyTimeoutMs;
    checkReady(draft, worker);
    // What it asks for now it has not had before.
    if (worker.listening.length > 0 || worker.held || !isToBeHeld(state, worker)) continue;
    worker.held = true;
    held.push(worker.id);
  }
  const workers = state.workers.filter(seats).length;
  report(draft, 'info', 'workers taken over', { workers, generation: state.target });
}

/** Of two of one generation in a slot the newest that is ready stays. Those of several generations are the rollout's affair. */
function settleSlots(draft: Draft): void {
  const { state } = draft;
  for (const worker of state.workers.filter(seats)) {
    const rivals = workersOf(state, worker.slot).filter(
      (other) => seats(other) && other.generation === worker.generation,
    );
    const ready = rivals.filter(({ state: own }) => own === 'ready');
    const stays = (ready.length > 0 ? ready : rivals).reduce((newest, other) =>
      other.id > newest.id ? other : newest,
    );
    if (stays !== worker) leave(draft, worker);
  }
}

/** A rollout that was under way goes on, with a trial if it had not passed that yet. */
function settleGenerations(state: State): void {
  const seated = state.workers.filter((worker) => seats(worker) && worker.slot < state.size);
  if (seated.length === 0) return;
  const generations = seated.map(({ generation }) => generation);
  const [from, to] = [Math.min(...generations), Math.max(...generations)];
  const policy = state.policies[state.target];
  if (policy === undefined) return;
  for (const generation of generations) state.policies[generation] ??= policy;
  state.stable = from;
  state.target = to;
  if (from === to) return;
  const [first, ...others] = seated.filter(({ generation }) => generation === to);
  const isFirstOne = first !== undefined && others.length === 0 && (first.held || first.state === 'starting');
  const trial = policy.trialMs > 0 && isFirstOne ? { slot: first.slot } : null;
  if (trial !== null) state.target = from;
  state.rollout = { ...state.rollout, state: 'running', from, to, trial };
}
