/** How a supervisor is, in words, and whether that is well. Pure. */
import type { RolloutStatus, SupervisorStatus } from '../protocol/status.js';

export interface Standing extends Pick<SupervisorStatus, 'state' | 'size' | 'crashLoop'> {
  readonly ready: number;
  readonly rollout: Pick<RolloutStatus, 'state'>;
}

/** @returns the words, and the classes that they have on the page */
export function stateOf({ state, size, ready, crashLoop, rollout }: Standing): readonly [text: string, kind: string] {
  // While a rollout goes on there may be more of them than slots.
  const serving =
    ready > size
      ? `${ready} workers are ready for ${size} ${size === 1 ? 'slot' : 'slots'}`
      : `${ready} of ${size} ${size === 1 ? 'worker' : 'workers'} ${ready === 1 ? 'is' : 'are'} ready`;
  if (state === 'stopping' || state === 'stopped')
    return [`Stopping: ${ready} ${ready === 1 ? 'worker is' : 'workers are'} left`, 'state warn'];
  if (state === 'starting') return [`Starting: ${serving}`, 'state warn'];
  if (ready === 0) return [`Down: ${serving}`, 'state bad'];
  if (crashLoop) return [`Workers crash again and again; ${serving}`, 'state bad'];
  if (rollout.state === 'running') return [`Rolling out; ${serving}`, 'state warn'];
  return ready < size ? [`Serving, not with all: ${serving}`, 'state warn'] : [`Well: ${serving}`, 'state well'];
}

/** The part of a whole; 0 where there is nothing. */
export function share(part: number | null, whole: number | null): number | null {
  if (part === null || whole === null) return null;
  return whole === 0 ? 0 : Math.min(1, part / whole);
}

/** How all supervisors of a folder are, in words. */
export function standing(all: number, unhealthy: number): string {
  if (all === 0) return 'No supervisor is running';
  if (unhealthy > 0) return `${unhealthy} of ${all} ${unhealthy === 1 ? 'needs' : 'need'} attention`;
  return all === 1 ? '1 is running and well' : `${all} are running, and all are well`;
}
