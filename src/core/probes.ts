/**
 * What the probes of the admin address answer, in the sense that Kubernetes gives them: liveness asks for a restart,
 * readiness for traffic, startup for patience.
 *
 * https://kubernetes.io/docs/concepts/workloads/pods/probes/
 */
import type { ProbeAnswer, ProbeName } from '../protocol/admin.js';
import { serves } from './state/standing.js';
import type { State } from './state/types.js';

export function judgeProbe(name: ProbeName, state: State): ProbeAnswer {
  return PROBES[name](state);
}

const PROBES = {
  /** Fails only where a new start may help: not while the supervisor is busy starting or stopping, nor while anybody serves. */
  livez: (state) => {
    const isHopeless = state.phase === 'running' && state.crashLoop && countReady(state) === 0;
    return isHopeless ? no('crash loop, and no worker is ready') : yes(state);
  },

  /** Fails from the moment a stop is asked for: whoever sends traffic looks elsewhere while the workers still drain. */
  readyz: (state) => {
    if (state.phase === 'stopping' || state.phase === 'stopped') return no('the supervisor is stopping');
    if (!state.announced) return no(progress(state));
    if (countReady(state) > 0) return yes(state);
    return no(state.phase === 'restarting' ? 'the workers are being restarted' : 'no worker is ready');
  },

  /** Once it has succeeded, it never fails again. */
  startupz: (state) => (state.announced ? yes(state) : no(progress(state))),
} satisfies Record<ProbeName, (state: State) => ProbeAnswer>;

function countReady({ workers }: State): number {
  return workers.filter(serves).length;
}

function yes(state: State): ProbeAnswer {
  return { ok: true, reason: `${countReady(state)} of ${state.size} workers are ready` };
}

function no(reason: string): ProbeAnswer {
  return { ok: false, reason };
}

function progress(state: State): string {
  return `not started yet: ${countReady(state)} of ${state.size} workers are ready`;
}
