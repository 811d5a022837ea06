/**
 * What a worker is to the service: the one place where its state, its end and its being held are weighed together.
 * Everybody else asks these questions, and spells none of them anew.
 */
import type { Slot, State, Worker } from './types.js';

export type Standing =
  /** On its way to serve. */
  | 'coming'
  /** Ready, but on trial: it accepts nothing yet. */
  | 'held'
  | 'serving'
  /** On its way out. */
  | 'leaving'
  /** Its process has ended; its exit is still to be told. */
  | 'ended';

export function standing({ state, held, ended }: Worker): Standing {
  if (ended) return 'ended';
  if (state === 'starting') return 'coming';
  if (state === 'ready') return held ? 'held' : 'serving';
  return 'leaving';
}

/** It accepts, and will go on to. */
export function serves(worker: Worker): boolean {
  return standing(worker) === 'serving';
}

/**
 * It takes a seat: nobody else is started there. One whose process has ended does so until its exit is told, which decides
 * when its replacement comes.
 */
export function seats({ state }: Worker): boolean {
  return state === 'starting' || state === 'ready';
}

/** The one worker of a release that is beside all of the old ones: its canary, or the one that is on trial. */
export function isFirst({ rollout }: State, { slot, generation }: Worker): boolean {
  const { state, to, canary, trial } = rollout;
  return state === 'running' && generation === to && (slot === canary?.slot || slot === trial?.slot);
}

/** Ready for as long as its generation's soak asks, and still there. */
export function isSoaked(state: State, worker: Worker, now: number): boolean {
  const at = soakedAt(state, worker);
  return at !== null && now >= at;
}

/** When it is or was soaked, if nothing happens to it, and has had its trial where it has one. Null where it is not ready. */
export function soakedAt(state: State, worker: Worker): number | null {
  if (worker.state !== 'ready' || worker.ended || worker.readyAt === null) return null;
  const { soakMs = 0, trialMs = 0 } = state.policies[worker.generation] ?? {};
  return worker.readyAt + (hasTrial(state, worker) ? Math.max(soakMs, trialMs) : soakMs);
}

/** What the first one of a release has shown holds for those that follow it. */
function hasTrial(state: State, worker: Worker): boolean {
  const { state: progress, to, trialForEach } = state.rollout;
  return isFirst(state, worker) || (trialForEach && progress === 'running' && worker.generation === to);
}

/**
 * It counts for the number of workers that serve: one of the target generation once it is soaked. One that is still held
 * though its release has been superseded accepts as soon as it is needed. One on trial is not relied on.
 */
export function counts(state: State, worker: Worker, now: number): boolean {
  if (worker.generation === state.target) return isSoaked(state, worker, now);
  if (isFirst(state, worker)) return false;
  return worker.state === 'ready' && !worker.ended;
}

/** A worker belongs there: within the size, and not given up by its exit code. */
export function isWanted({ size }: State, { slot, finished }: Slot): boolean {
  return slot < size && !finished;
}

/** How many workers there are to be. */
export function wantedSeats(state: State): number {
  return state.size - state.slots.filter((slot) => slot.slot < state.size && slot.finished).length;
}

/** Nobody is ready: what has ended is replaced at once. */
export function nobodyServes({ workers }: State): boolean {
  return !workers.some(({ state, ended }) => state === 'ready' && !ended);
}

/** Slots within the size in which somebody serves. */
export function servedSlots(state: State): number {
  return new Set(state.workers.filter((worker) => worker.slot < state.size && serves(worker)).map(({ slot }) => slot))
    .size;
}
