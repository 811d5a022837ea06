/** Makes the first state, and answers the questions that every part of the core asks of it. */
import type { ListenMode } from '../../protocol/status.js';
import type { AddressKey } from '../../protocol/worker.js';
import type { Draft } from './draft.js';
import type { Effect, ReportLevel } from './effects.js';
import { seats } from './standing.js';
import type { Policy, Slot, State, Worker } from './types.js';

export function initialState(options: {
  readonly size: number;
  readonly listenMode: ListenMode;
  readonly policy: Policy;
}): State {
  return {
    phase: 'starting',
    steppedAt: 0,
    announced: false,
    listenMode: options.listenMode,
    size: options.size,
    generation: 1,
    target: 1,
    stable: 1,
    policies: { 1: options.policy },
    slots: [],
    workers: [],
    nextWorker: 1,
    rollout: {
      state: 'none',
      from: 1,
      to: 1,
      reason: null,
      requests: [],
      size: null,
      canary: null,
      trial: null,
      trialForEach: false,
      aborts: [],
    },
    queuedReload: null,
    scales: [],
    restart: null,
    reached: [],
    stopRequests: [],
    crashLoop: false,
    givesUp: false,
    totals: { restarts: { crashed: 0, failed: 0, hung: 0, recycled: 0 }, rollouts: { done: 0, rolledBack: 0 } },
    failureReason: null,
    takeover: null,
  };
}

/** One that is starting, and of which nothing is known. */
export function newWorker({
  id,
  slot,
  generation,
  startedAt,
}: Pick<Worker, 'id' | 'slot' | 'generation' | 'startedAt'>): Worker {
  return {
    id,
    slot,
    generation,
    startedAt,
    pid: null,
    state: 'starting',
    deadline: null,
    awaiting: [],
    contested: [],
    leftMs: null,
    readyAt: null,
    acceptsSince: null,
    saidReady: false,
    owesHealth: false,
    healthy: false,
    healthAt: null,
    healthReason: null,
    recycleReason: null,
    listening: [],
    steady: [],
    assumed: [],
    lost: [],
    givenUp: [],
    judgeLossAt: null,
    lookedAt: null,
    lasting: [],
    refused: [],
    given: [],
    served: [],
    looking: false,
    held: false,
    ended: false,
    hung: false,
    killAgainMs: 0,
    endReason: null,
    unattached: false,
  };
}

export function policyOf(state: State, worker: Worker): Policy {
  return state.policies[worker.generation] ?? targetPolicy(state);
}

export function targetPolicy(state: State): Policy {
  const policy = state.policies[state.target];
  if (policy === undefined) throw new Error(`generation ${state.target} has no policy`);
  return policy;
}

/**
 * By slot, made once for each change: a worker never changes its slot, one that comes makes the list longer, and one that
 * goes makes a new list.
 */
const bySlot = new WeakMap<
  readonly object[],
  { readonly length: number; readonly of: ReadonlyMap<number, Worker[]> }
>();

export function workersOf({ workers }: State, slot: number): readonly Worker[] {
  let index = bySlot.get(workers);
  if (index === undefined || index.length !== workers.length) {
    const of = new Map<number, Worker[]>();
    for (const worker of workers) {
      const own = of.get(worker.slot);
      if (own === undefined) of.set(worker.slot, [worker]);
      else own.push(worker);
    }
    index = { length: workers.length, of };
    bySlot.set(workers, index);
  }
  return index.of.get(slot) ?? NOBODY;
}

const NOBODY: readonly Worker[] = [];

export function slotOf(state: State, slot: number): Slot {
  // In order, as long as none has gone.
  const likely = state.slots[slot];
  let found = likely?.slot === slot ? likely : state.slots.find((candidate) => candidate.slot === slot);
  if (found === undefined) {
    found = {
      slot,
      attempts: 0,
      retryAt: null,
      crashes: [],
      crashLoop: false,
      early: 0,
      recycleAt: null,
      restarts: 0,
      recycled: 0,
      reason: null,
      finished: false,
      addresses: [],
      lasting: [],
      failedStart: false,
    };
    state.slots.push(found);
  }
  return found;
}

/** It neither stops nor restarts. */
export function isUp({ phase }: State): boolean {
  return phase === 'starting' || phase === 'running';
}

/** Of the generation that its slot is to have, and not being replaced by its like. */
export function isCurrent(state: State, worker: Worker): boolean {
  if (worker.generation !== state.target) return false;
  return worker.recycleReason === null || !workersOf(state, worker.slot).some((other) => isSuccessor(other, worker));
}

/** It may come to a limit itself before it has soaked. */
function isSuccessor(other: Worker, { id, generation }: Worker): boolean {
  return seats(other) && other.generation === generation && other.id > id;
}

/** Every active slot has a ready worker of the target generation, and no live one of another. */
export function isSettled(state: State): boolean {
  for (let slot = 0; slot < state.size; slot++) {
    const live = workersOf(state, slot).filter(seats);
    if (live.length === 0 && slotOf(state, slot).finished) continue;
    if (live.length !== 1 || live[0]?.state !== 'ready' || live[0].generation !== state.target) return false;
  }
  return true;
}

/** Within the size, or the canary's. */
export function isWantedSlot({ size, rollout }: State, slot: number): boolean {
  return slot < size || rollout.canary?.slot === slot;
}

export function report(
  draft: Draft,
  level: ReportLevel,
  message: string,
  fields: Readonly<Record<string, unknown>>,
): void {
  draft.effects.push({ do: 'report', level, message, fields });
}

export function answer(draft: Draft, requests: readonly number[], ok: boolean, reason: string | null): void {
  for (const request of requests) draft.effects.push({ do: 'answer', request, ok, reason } satisfies Effect);
}

/** An address as people know it: with the port that the kernel has chosen. */
export function shown({ shown: ports }: Worker, key: AddressKey): string {
  return ports?.[key] ?? key;
}

/** The fields by which a worker is known in every log line. */
export function label(worker: Worker): Record<string, unknown> {
  return { slot: worker.slot, worker: worker.id, generation: worker.generation, pid: worker.pid };
}
