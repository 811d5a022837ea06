/** Whether the supervisor can be replaced now: whatever the next one could not go on with is waited for, never cut. Pure. */
import type { State, Worker } from './state/types.js';

export interface Hindrances {
  /** What has no end by itself, or none that is worth waiting for. */
  readonly refusal: string | null;
  /** What comes to an end. */
  readonly waits: readonly string[];
}

export function hindrancesOf(state: State): Hindrances {
  const { phase, takeover, rollout, restart, queuedReload, scales, workers } = state;
  if (phase === 'stopping' || phase === 'stopped') return { refusal: 'it stops', waits: [] };
  if (rollout.state === 'running' && rollout.canary !== null) {
    return {
      refusal: 'a canary is being compared: holdfast reload --promote or --abort comes first',
      waits: [],
    };
  }
  const waits: string[] = [];
  if (phase === 'starting') waits.push('its start');
  if (takeover !== null) waits.push('workers that are being taken over');
  if (rollout.state === 'running' || rollout.state === 'rollingBack' || queuedReload !== null) waits.push('a rollout');
  if (phase === 'restarting' || restart !== null) waits.push('a restart');
  if (scales.length > 0) waits.push('a change of the size');
  return { refusal: null, waits: [...waits, ...workers.flatMap(underWay)] };
}

function underWay({ id, state, held }: Worker): string[] {
  // It cannot outlive its supervisor before it has come up.
  if (state === 'starting') return [`worker ${id}, which starts`];
  if (state === 'ready') return held ? [`worker ${id}, which is on trial`] : [];
  return [`worker ${id}, which is on its way out`];
}
