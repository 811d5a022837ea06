/** What has happened between two looks at the core's state, for those who follow the supervisor's events. Pure. */
import type { State } from '../../core/state/types.js';
import type { SupervisorEvent, SupervisorSnapshot, WorkerLabel } from '../../protocol/events.js';
import type { WorkerState } from '../../protocol/status.js';
import { replacedSlots } from '../../replaced-slots.js';

export type Sight = SupervisorSnapshot;
/** Without its number. */
export type EventWithoutId = WithoutId<SupervisorEvent>;
type WithoutId<E> = E extends SupervisorEvent ? Omit<E, 'id'> : never;

/** How the process of a worker ended, as far as it has been told. */
export interface Ending {
  readonly code: number | null;
  readonly signal: string | null;
  readonly crashed: boolean;
}

export function sightOf(name: string, state: State): Sight {
  const { rollout } = state;
  const isNone = rollout.state === 'none';
  return {
    name,
    state: state.phase,
    generation: state.target,
    size: state.size,
    crashLoop: state.crashLoop,
    rollout: {
      state: rollout.state === 'rollingBack' ? 'running' : rollout.state,
      from: isNone ? null : rollout.from,
      to: isNone ? null : rollout.to,
      reason: rollout.reason,
      replaced: isNone ? 0 : replacedSlots(state),
      canary: rollout.canary?.share ?? null,
    },
    workers: state.workers.map(({ id, slot, generation, pid, state }) => ({
      worker: id,
      slot,
      generation,
      pid,
      state,
    })),
  };
}

/** In the order in which it is best read: what a rollout is for before its workers, how it ended after them. */
export function eventsBetween(before: Sight, now: Sight, endingOf: (worker: number) => Ending): EventWithoutId[] {
  const found: EventWithoutId[] = [];
  if (before.state !== now.state) found.push({ type: 'stateChanged', from: before.state, to: now.state });
  if (before.size !== now.size) found.push({ type: 'sizeChanged', from: before.size, to: now.size });
  if (before.crashLoop !== now.crashLoop) found.push({ type: now.crashLoop ? 'crashLoopBegun' : 'crashLoopOver' });
  found.push(...rolloutBegun(before, now), ...workersChanged(before, now, endingOf), ...rolloutMoved(before, now));
  return found;
}

function isNew(before: Sight, now: Sight): boolean {
  return now.rollout.to !== null && now.rollout.to !== before.rollout.to;
}

function rolloutBegun(before: Sight, now: Sight): EventWithoutId[] {
  const { from, to, canary } = now.rollout;
  if (!isNew(before, now) || from === null || to === null) return [];
  return [{ type: 'rolloutBegun', from, to, canary }];
}

function rolloutMoved(before: Sight, now: Sight): EventWithoutId[] {
  const { state, from, to, reason, replaced } = now.rollout;
  if (from === null || to === null) return [];
  const earlier = isNew(before, now) ? { state: 'running', reason: null, replaced: 0 } : before.rollout;
  const found: EventWithoutId[] = [];
  const wasMoving = earlier.state === 'running';
  if (wasMoving && replaced > earlier.replaced)
    found.push({ type: 'rolloutProgress', from, to, replaced, size: now.size });
  if (state === 'running' && reason !== null && earlier.reason === null) {
    found.push({ type: 'rolloutFailed', from, to, reason });
  }
  if (state !== earlier.state && state === 'done') found.push({ type: 'rolloutDone', from, to });
  if (state !== earlier.state && state === 'rolledBack') found.push({ type: 'rolloutTakenBack', from, to, reason });
  return found;
}

type Seen = Sight['workers'][number];

function workersChanged(before: Sight, now: Sight, endingOf: (worker: number) => Ending): EventWithoutId[] {
  const earlier = new Map(before.workers.map((seen) => [seen.worker, seen]));
  const found: EventWithoutId[] = [];
  for (const seen of now.workers) {
    const known = earlier.get(seen.worker);
    earlier.delete(seen.worker);
    // Without a process it has not been spawned yet.
    if (seen.pid !== null && (known === undefined || known.pid === null)) {
      found.push({ type: 'workerSpawned', ...labelOf(seen) });
    }
    if (seen.state === (known?.state ?? 'starting')) continue;
    found.push({ type: NAMES[seen.state], ...labelOf(seen) });
  }
  const gone = [...earlier.values()].filter(({ pid }) => pid !== null);
  return [
    ...gone.map((seen): EventWithoutId => ({ type: 'workerExited', ...labelOf(seen), ...endingOf(seen.worker) })),
    ...found,
  ];
}

const NAMES = {
  starting: 'workerUnready',
  ready: 'workerReady',
  draining: 'workerDraining',
  terminating: 'workerTerminating',
  killing: 'workerKilling',
  // Never seen: what is gone is no longer in the state.
  gone: 'workerKilling',
} as const satisfies Record<WorkerState, string>;

function labelOf({ worker, slot, generation, pid }: Seen): WorkerLabel {
  return { worker, slot, generation, pid };
}
