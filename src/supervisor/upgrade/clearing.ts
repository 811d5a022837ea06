/** Whatever the next program could not go on with is waited for, before another one takes the place of this one. */
import { setTimeout as delay } from 'node:timers/promises';
import type { State } from '../../core/state/types.js';
import { hindrancesOf } from '../../core/upgrade.js';
import type { WorkerHandle } from '../workers/process/handle.js';

/** How long all that is in the way is waited for, in all. */
export const WAIT_MS = 120_000;
const LOOK_MS = 50;

export interface ClearingParts {
  readonly state: () => State;
  /** What goes on that the core does not know. */
  readonly busy: () => readonly string[];
  readonly workers: () => Iterable<WorkerHandle>;
  /** Whether it answers at once. */
  readonly answers: (worker: WorkerHandle) => Promise<boolean>;
}

export type Tell = (message: string, fields: Readonly<Record<string, unknown>>) => void;

interface ClearingFor {
  /** What else is in the way. */
  readonly more: () => readonly string[];
  /** How the waiting is told of. */
  readonly waiting: string;
}
const UPGRADE: ClearingFor = { more: () => [], waiting: 'upgrade waits' };

/** Nothing has changed. */
export class Refused extends Error {}

export class Clearing {
  readonly #parts: ClearingParts;

  constructor(parts: ClearingParts) {
    this.#parts = parts;
  }

  /** Waits until nothing is in the way. @throws Refused */
  async clear(tell: Tell, until: number, { more, waiting }: ClearingFor = UPGRADE): Promise<void> {
    let told = '';
    let before = '';
    for (;;) {
      let waits = [...this.hindrances(), ...more()];
      if (waits.length === 0) waits = [...(await this.#silent())];
      if (waits.length === 0) return;
      const what = waits.join(', ');
      if (performance.now() > until) throw new Refused(`${what} is still in the way after ${WAIT_MS / 1000} s`);
      // What is over at the next look is no news.
      if (what === before && what !== told) {
        tell(waiting, { for: what, atMostSeconds: WAIT_MS / 1000 });
        told = what;
      }
      before = what;
      await delay(LOOK_MS);
    }
  }

  /** @throws Refused where it has no end */
  hindrances(): readonly string[] {
    const { refusal, waits } = hindrancesOf(this.#parts.state());
    if (refusal !== null) throw new Refused(refusal);
    return [...waits, ...this.#parts.busy()];
  }

  /** One that is blocked would come late, and be taken for one that hangs. */
  async #silent(): Promise<readonly string[]> {
    const { workers, answers } = this.#parts;
    const all = [...workers()];
    const told = await Promise.all(all.map(answers));
    return all.flatMap(({ identity }, i) => (told[i] ? [] : [`worker ${identity.worker}, which does not answer`]));
  }
}
