/** How long rollouts took, in seconds, by outcome. */
import type { State } from '../../core/state/types.js';

const MOST = 100_000;

export class RolloutTimes {
  readonly seconds: Readonly<Record<'done' | 'rolledBack', number[]>>;
  #rollout: { readonly to: number; readonly state: string; readonly begunAt: number } | null = null;

  /** @param before what the supervisor before has passed on; read as something of anybody's */
  constructor(before: unknown) {
    const { done, rolledBack } = (before ?? {}) as Record<string, unknown>;
    this.seconds = { done: secondsIn(done), rolledBack: secondsIn(rolledBack) };
  }

  /** The core has come to rest. */
  review({ rollout: { state, to } }: State): void {
    const known = this.#rollout;
    if (known?.to === to && known.state === state) return;
    const begunAt = known?.to === to ? known.begunAt : performance.now();
    this.#rollout = { to, state, begunAt };
    // One that was over before anybody looked has no beginning.
    if (known === null || known.state === state) return;
    if (state === 'done' || state === 'rolledBack') this.seconds[state].push((performance.now() - begunAt) / 1000);
  }
}

function secondsIn(data: unknown): number[] {
  if (!Array.isArray(data) || data.length > MOST) return [];
  return data.every((one) => Number.isFinite(one) && one >= 0) ? [...(data as number[])] : [];
}
