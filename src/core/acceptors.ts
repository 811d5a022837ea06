/** What the core tells the table of sockets: who accepts on what. The one thing that goes from the one to the other. */
import type { Acceptors } from './adoption/types.js';
import { standing } from './standing.js';
import { isSettled, targetPolicy } from './state.js';
import type { State } from './types.js';

export function acceptorsOf(state: State): Acceptors {
  const { phase, size, rollout } = state;
  const isMoving = rollout.state === 'running' || rollout.state === 'rollingBack';
  return {
    stage: stageOf(state),
    size,
    canary: rollout.canary?.slot ?? null,
    settled: phase === 'running' && !isMoving && isSettled(state),
    patienceMs: targetPolicy(state).readyTimeoutMs,
    workers: state.workers.map((worker) => {
      const { id, slot, held, listening } = worker;
      const stands = standing(worker);
      // Told to listen, it accepts nothing before it has proved itself.
      return { id, slot, standing: held && stands === 'coming' ? 'held' : stands, listening };
    }),
  };
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
