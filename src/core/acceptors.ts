/** What the core tells the table of sockets: who accepts on what. The one thing that goes from the one to the other. */
import type { Acceptors } from './adoption/types.js';
import { seats, standing } from './state/standing.js';
import { isSettled, targetPolicy, workersOf } from './state/state.js';
import type { Slot, State } from './state/types.js';

export function acceptorsOf(state: State): Acceptors {
  const { phase, size, rollout } = state;
  const isMoving = rollout.state === 'running' || rollout.state === 'rollingBack';
  return {
    stage: stageOf(state),
    size,
    canary: rollout.canary?.slot ?? null,
    settled: phase === 'running' && !isMoving && isSettled(state),
    seats: state.slots.map((slot) => ({
      slot: slot.slot,
      isAwaiting: isAwaiting(state, slot),
      expected: slot.addresses,
    })),
    patienceMs: targetPolicy(state).readyTimeoutMs,
    workers: state.workers.map((worker) => {
      const { id, slot, held, listening } = worker;
      const stands = standing(worker);
      return { id, slot, standing: held && stands === 'coming' ? 'waiting' : stands, listening };
    }),
  };
}

/** A worker is on its way to the slot, or is to be. */
function isAwaiting(state: State, { slot, finished }: Slot): boolean {
  const { canary, to } = state.rollout;
  const isCanarys = canary?.slot === slot;
  if (slot >= state.size && !isCanarys) return false;
  const live = workersOf(state, slot).filter(seats);
  if (live.length === 0) return !finished;
  const generation = isCanarys ? to : state.target;
  return live.some((worker) => worker.state !== 'ready' || worker.ended || worker.generation !== generation);
}

function stageOf({ phase }: State): Acceptors['stage'] {
  switch (phase) {
    case 'starting':
    case 'running':
      return 'up';
    case 'restarting':
      return 'restarting';
    case 'stopping':
    case 'stopped':
      return 'stopping';
  }
}
