/** What must hold of a release whose first worker has not been ready for as long as its trial. */
import type { State } from '../../src/core/state/types.js';
import { check } from './adoption/invariants.js';
import type { Step } from './step-invariants.js';

export class Trials {
  /** By worker: since when it has been ready without a break. */
  readonly #readySince = new Map<number, number>();
  /** Generations of which one worker was ready for long enough. */
  readonly #proven = new Set<number>();

  checkStep({ before, after, events, effects, now }: Step): void {
    for (const worker of after.workers) {
      if (worker.state !== 'ready' || worker.ended) {
        this.#readySince.delete(worker.id);
        continue;
      }
      const since = this.#readySince.get(worker.id) ?? now;
      this.#readySince.set(worker.id, since);
      const { trialMs = 0, soakMs = 0 } = after.policies[worker.generation] ?? {};
      if (since + Math.max(trialMs, soakMs) <= now) this.#proven.add(worker.generation);
    }
    const { to } = after.rollout;
    if (after.rollout.state !== 'running' || !this.#isOpen(after, to)) return;
    const fresh = after.workers.filter(
      ({ generation, state }) => generation === to && (state === 'starting' || state === 'ready'),
    );
    check(fresh.length <= 1, 'one worker of a release is on trial, and no other is started', fresh);
    check(after.stable !== to, 'a release on trial is not accepted', after);
    for (const effect of effects) {
      if (effect.do !== 'drain' || (after.phase !== 'running' && after.phase !== 'starting')) continue;
      const worker = before.workers.find(({ id }) => id === effect.worker);
      const others = after.workers.filter((other) => other.slot === worker?.slot && other.id !== worker.id);
      const ownFault =
        events.some((event) => 'worker' in event && event.worker === effect.worker) || worker?.judgeLossAt != null;
      const isReplaced = worker?.state === 'ready' && !ownFault && worker.slot < after.size && worker.generation !== to;
      const by = others.filter(({ state, generation }) => state === 'ready' && generation !== to);
      check(!isReplaced || by.length > 0, 'a release on trial replaces nobody', { worker, others });
    }
  }

  /** Its trial, if it has one, is not over. */
  #isOpen({ policies }: State, generation: number): boolean {
    return (policies[generation]?.trialMs ?? 0) > 0 && !this.#proven.has(generation);
  }
}
