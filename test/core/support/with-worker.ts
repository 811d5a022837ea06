/** Supervisors of which one worker is in a given state. */
import type { LiveState, Policy } from '../../../src/core/state/types.js';
import { Driver } from '../driver.js';

export const OTHER = '0.0.0.0:9090';

/** A supervisor with a worker 1 in that state, and a sibling that keeps it from ending. */
export function withWorker(state: LiveState, policy: Partial<Policy> = {}): Driver {
  const d = Driver.running({ size: 2, policy });
  if (state === 'starting') {
    d.crash(1);
    d.wait(75);
    return d;
  }
  if (state === 'ready') return d;
  d.send({ type: 'disconnected', worker: 1 });
  d.effects.length = 0;
  if (state === 'draining') return d;
  d.send({ type: 'drained', worker: 1 });
  if (state === 'killing') d.wait(d.policy.killTimeoutMs);
  return d;
}
