/** What must hold of a step by itself, of the state before it and after it and of what it asks for; and of the state in the end. */
import type { SocketTable } from '../../src/core/adoption/types.js';
import type { Effect } from '../../src/core/state/effects.js';
import type { State, Worker } from '../../src/core/state/types.js';
import type { AnyEffect, AnyEvent } from '../../src/core/supervision.js';
import { check } from './adoption/invariants.js';

const SOCKETS_ONLY: readonly AnyEvent['type'][] = ['congested', 'relieved', 'notAdopted', 'released'];

export interface Step {
  readonly before: State;
  readonly events: readonly AnyEvent[];
  readonly after: State;
  readonly sockets: { readonly before: SocketTable; readonly after: SocketTable };
  readonly effects: readonly AnyEffect[];
  readonly now: number;
}

/** News of sockets alone leave the core as it is. */
export function checkSleep({ before, after, events }: Step): void {
  const slept = events.every(({ type }) => SOCKETS_ONLY.includes(type));
  check(
    !slept || JSON.stringify(before) === JSON.stringify(after),
    'what a look finds does not concern the core',
    events,
  );
}

/** Somebody has served the clients of its slot all the time, and does. */
export function hasOtherServing({ before, after }: Step, id: number): boolean {
  const slot = after.workers.find((worker) => worker.id === id)?.slot;
  return before.workers.some((other) => {
    const shares = after.listenMode === 'reuseaddr' || other.slot === slot;
    const now = after.workers.find((worker) => worker.id === other.id);
    return other.id !== id && shares && [other, now].every((worker) => worker !== undefined && isServing(worker));
  });
}

function isServing(worker: Worker): boolean {
  return isReady(worker) && !worker.ended && !worker.held;
}

export function isReady(worker: Worker): boolean {
  return worker.state === 'ready';
}

export function isLive(worker: Worker): boolean {
  return worker.state === 'starting' || worker.state === 'ready';
}

function hasSoaked(state: State, worker: Worker, now: number): boolean {
  const soakMs = state.policies[worker.generation]?.soakMs ?? Number.POSITIVE_INFINITY;
  return isReady(worker) && !worker.ended && worker.readyAt !== null && worker.readyAt + soakMs <= now;
}

function surgeOf(state: State): number {
  return state.policies[state.target]?.surge ?? 0;
}

/** Slots that are to have a worker. */
function wanted(state: State): number {
  return state.size - state.slots.filter(({ slot, finished }) => slot < state.size && finished).length;
}

export function isUp(state: State): boolean {
  return state.phase === 'starting' || state.phase === 'running';
}

export function liveIn(state: State): Worker[] {
  return state.workers.filter((worker) => worker.slot < state.size && isLive(worker));
}

export function checkBounds({ after, effects }: Step): void {
  for (const { slot } of isUp(after) ? after.slots : []) {
    const draining = after.workers.filter((worker) => worker.slot === slot && worker.state === 'draining').length;
    check(draining <= (after.policies[after.target]?.maxDraining ?? 0), 'few workers of a slot drain', {
      slot,
      draining,
    });
  }
  if (!effects.some((effect) => effect.do === 'spawn')) return;
  const live = liveIn(after).length;
  check(live <= wanted(after) + surgeOf(after), 'live is at most wanted seats + surge', { live, size: after.size });
}

/** Those that serve, of the target generation only what has proved itself. */
function relied(state: State, now: number): Worker[] {
  return state.workers.filter(
    (worker) =>
      worker.slot < state.size &&
      isReady(worker) &&
      !worker.ended &&
      (worker.generation !== state.target || hasSoaked(state, worker, now)),
  );
}

/** A worker that serves goes only for a reason, and a rollout is one only when there are enough others. */
export function checkDismissals(step: Step): void {
  const { before, events, after, now } = step;
  if (!isUp(after)) return;
  const proven = relied(after, now);
  for (const worker of before.workers) {
    const next = after.workers.find(({ id }) => id === worker.id);
    const ownFault =
      events.some((event) => 'worker' in event && event.worker === worker.id) ||
      (worker.judgeLossAt !== null && worker.judgeLossAt <= now);
    if (!isReady(worker) || next === undefined || isLive(next) || ownFault || worker.slot >= after.size) continue;
    const beside = after.workers.filter((other) => other.slot === worker.slot && isReady(other));
    if (beside.some((other) => other.generation === after.target && hasSoaked(after, other, now))) {
      // What has failed goes as soon as its seat has a proven worker: it is not trusted to fill a gap elsewhere.
      const enough = proven.length >= wanted(after) || isTakenBack(step);
      check(enough, 'a rollout does not lower the number of ready workers below the size', after);
    } else {
      // Two predecessors of one slot, after a rollout was superseded.
      check(beside.length > 0, 'nobody displaces a ready worker before being ready and soaked', { worker, after });
    }
  }
}

/** In this step or before it; the next rollout may have begun in this step, too. */
function isTakenBack({ before, effects }: Step): boolean {
  if (before.rollout.state === 'rollingBack') return true;
  return effects.some((effect) => effect.do === 'report' && effect.message === 'rollback started');
}

export function checkGenerations({ after, now }: Step): void {
  for (const worker of after.workers) {
    check(after.policies[worker.generation] !== undefined, 'every generation with workers is known', worker);
  }
  check(after.policies[after.target] !== undefined && after.policies[after.stable] !== undefined, 'the way is known');
  if (!isUp(after)) return;
  const isShort = relied(after, now).length <= wanted(after);
  for (let slot = 0; slot < after.size; slot++) {
    const live = liveIn(after).filter((worker) => worker.slot === slot && !isOnTrial(after, worker));
    const own = live.filter((worker) => worker.generation === after.target);
    // One that has come to a limit stays the one of its seat until another has been started.
    const fresh = own.filter((worker) => worker.recycleReason === null);
    const lasting = fresh.length === 0 ? own.slice(-1) : fresh;
    check(lasting.length <= 1, 'a seat has one worker', live);
    const others = live.filter((worker) => !lasting.includes(worker));
    check(others.every(isReady), 'one rollout at a time', live);
    // What a newer rollout superseded goes at once, but where its slot has a proven worker and nobody can be done without.
    const isProven = lasting.some((worker) => hasSoaked(after, worker, now));
    check(others.length <= 1 || (isProven && isShort), 'one predecessor is enough', live);
  }
}

function isOnTrial({ rollout }: State, { slot, generation }: Worker): boolean {
  return rollout.trial?.slot === slot && rollout.to === generation;
}

/** While there is a canary nothing else of its generation is to be found, and all slots stay as they are. */
export function checkCanary({ after }: Step): void {
  const { canary, to, state } = after.rollout;
  if (canary === null || !isUp(after)) return;
  check(state === 'running' && after.target === after.stable && to !== after.stable, 'the slots stay', after.rollout);
  const fresh = after.workers.filter((worker) => isLive(worker) && worker.generation === to);
  check(fresh.length <= 1 && fresh.every(({ slot }) => slot === canary.slot), 'there is one canary', fresh);
}

export function isSeat({ size, rollout }: State, { slot, generation }: Extract<Effect, { do: 'spawn' }>): boolean {
  return slot < size || (rollout.canary?.slot === slot && rollout.to === generation);
}

export function checkSeats({ after }: Step): void {
  if (!isUp(after)) return;
  const full = liveIn(after).length >= wanted(after) + surgeOf(after);
  for (let slot = 0; slot < after.size; slot++) {
    const taken = liveIn(after).some((worker) => worker.slot === slot);
    const known = after.slots.find((candidate) => candidate.slot === slot);
    // While nothing has ever been up, a seat that has failed waits for one that succeeds, or for the end.
    const waits =
      (known !== undefined && (known.retryAt !== null || known.finished)) ||
      (after.phase === 'starting' && known?.failedStart === true);
    check(taken || waits || full, 'an empty seat has somebody on the way', { slot, after });
  }
}

export function checkTimes({ after, effects, now }: Step): void {
  const circles = effects.some(
    (effect) => effect.do === 'report' && effect.message === 'the core does not come to rest',
  );
  check(!circles, 'every step comes to rest', after);
  for (const worker of after.workers) {
    check((worker.state !== 'ready') === (worker.deadline !== null), 'every state but ready has an end', worker);
    if (worker.deadline === null) continue;
    check(worker.deadline > now, 'no deadline is passed over', worker);
  }
}

export function checkOutcome({ before, after, now }: Step): void {
  if (after.phase !== 'running') return;
  const live = liveIn(after);
  if (before.rollout.state === 'rollingBack' && after.rollout.state === 'rolledBack') {
    const astray = live.filter((worker) => worker.generation !== after.stable);
    check(astray.length === 0, 'a failed rollout ends with all slots on the old generation', astray);
  }
  if (before.stable !== after.stable && after.rollout.state !== 'none') {
    const proven = live.filter((worker) => worker.generation === after.stable && hasSoaked(after, worker, now));
    check(
      proven.length >= Math.min(before.size, after.size) - (after.size - wanted(after)),
      'a generation is accepted when it has soaked in all slots',
      after,
    );
  }
}

/** Called when nothing happens any more. */
export function checkRest(state: State): void {
  const serving = state.workers.filter((worker) => worker.state === 'ready' && worker.generation === state.target);
  const seats = new Set(serving.map((worker) => worker.slot));
  check(seats.size === state.size && state.workers.length === state.size, 'all slots are ready on the target', state);
  check(Object.keys(state.policies).join() === String(state.target), 'no old generation is kept', state.policies);
  check(
    state.rollout.state !== 'running' && state.rollout.state !== 'rollingBack',
    'no rollout is left',
    state.rollout,
  );
  check(state.target === state.stable, 'the target is accepted', state);
  check(state.queuedReload === null && state.restart === null, 'nothing is left to do', state);
  check(state.slots.length === state.size, 'no slot is left over', state.slots);
}
