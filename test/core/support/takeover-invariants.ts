/** What must hold after every step of a take-over. */

import type { State, Worker } from '../../../src/core/state/types.js';
import type { AnyEffect, AnyEvent } from '../../../src/core/supervision.js';
import { ATTACH_MS, SEIZE_MS } from '../../../src/core/worker/takeover.js';
import { check } from '../adoption/invariants.js';

interface TakeoverStep {
  readonly before: State;
  readonly after: State;
  readonly events: readonly AnyEvent[];
  readonly effects: readonly AnyEffect[];
  readonly now: number;
}

interface Surroundings {
  /** By worker. */
  readonly processes: ReadonlyMap<number, { readonly attached: boolean }>;
  /** Nobody has asked for something that may send workers away. */
  readonly isQuietOwner: boolean;
}

export class TakeoverInvariants {
  /** Requests. */
  readonly answered = new Set<number>();
  #highest: number;
  #takenOver = false;

  /** @param highest number of a worker that was there before */
  constructor(highest: number) {
    this.#highest = highest;
  }

  checkStep({ before, after: state, events, effects, now }: TakeoverStep, owner: Surroundings): void {
    const isOver = state.takeover === null;
    check(!(this.#takenOver && !isOver), 'a take-over happens once');
    this.#takenOver ||= isOver && before.takeover !== null;
    check(isOver || now <= ATTACH_MS + 3 * SEIZE_MS + 10, 'a take-over comes to its end', state.takeover);
    for (const effect of effects) {
      if (effect.do === 'spawn') {
        check(isOver, 'nothing is started before all are settled', state.takeover);
        check(effect.worker > this.#highest, 'a number is never used again', effect);
        this.#highest = effect.worker;
      }
      if (effect.do === 'drain' || effect.do === 'terminate' || effect.do === 'accept' || effect.do === 'askHealth') {
        const process = owner.processes.get(effect.worker);
        const isNew = effects.some(
          (other) => (other.do === 'takeIn' || other.do === 'spawn') && other.worker === effect.worker,
        );
        check(process?.attached === true || isNew, 'who has not attached is asked for nothing', effect);
      }
      if (effect.do === 'takeIn') {
        check(owner.processes.get(effect.worker)?.attached === false, 'nobody is taken in twice', effect);
      }
      if (effect.do === 'drain') checkDrain({ before, after: state, events }, effect.worker, owner);
      if (effect.do === 'answer') {
        check(!this.answered.has(effect.request), 'a request is answered once', effect);
        this.answered.add(effect.request);
      }
    }
    const report = effects.find((effect) => effect.do === 'report' && effect.message.includes('come to rest'));
    check(report === undefined, 'every step comes to rest', state);
    for (const worker of state.workers) {
      check(worker.deadline === null || worker.deadline > now, 'no deadline is passed over', worker);
    }
    if (!isOver || (state.phase !== 'running' && state.phase !== 'starting')) return;
    const seats = (worker: Worker) => worker.state === 'starting' || worker.state === 'ready';
    for (const one of state.workers.filter(seats)) {
      const alike = state.workers.filter(
        (other) => seats(other) && other.slot === one.slot && other.generation === one.generation,
      );
      check(alike.length === 1, 'a slot has one worker of a generation', alike);
    }
  }
}

/** Who serves stays, unless another one serves there, or somebody has asked for a change. */
function checkDrain(
  { before, after, events }: Pick<TakeoverStep, 'before' | 'after' | 'events'>,
  worker: number,
  { isQuietOwner }: Surroundings,
): void {
  const was = before.workers.find(({ id }) => id === worker);
  if (!isQuietOwner || was?.state !== 'ready' || was.slot >= after.size) return;
  if (events.some((event) => 'worker' in event && event.worker === worker)) return;
  const others = after.workers.filter((other) => other.slot === was.slot && other.state === 'ready');
  check(others.length > 0, 'nobody who serves is sent away without another one', was);
}
