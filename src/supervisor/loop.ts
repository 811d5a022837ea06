/**
 * The loop around the pure core: feeds it events one after the other, hands its effects to `perform`, and sleeps until
 * the nearest deadline. Owns the state; nobody else writes it.
 */
import { nextDeadline } from '../core/deadline.js';
import { step } from '../core/step.js';
import type { Effect, Event, State } from '../core/types.js';

/** Timers of Node count in 32 bits: a longer wait is slept in pieces. */
const LONGEST_SLEEP_MS = 2 ** 31 - 1;

export class Loop {
  #state: State;
  readonly #perform: (effect: Effect) => void;
  readonly #onSettled: (state: State) => void;
  readonly #queue: Event[] = [];
  #busy = false;
  #timer: NodeJS.Timeout | undefined;

  /** @param onSettled told of the state once no event is left to be done */
  constructor(state: State, perform: (effect: Effect) => void, onSettled: (state: State) => void) {
    this.#state = state;
    this.#perform = perform;
    this.#onSettled = onSettled;
  }

  get state(): State {
    return this.#state;
  }

  /** May be called from within `perform`: the event then waits until the effects of the present one are done. */
  dispatch(event: Event): void {
    this.#queue.push(event);
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        const { state, effects } = step(this.#state, next, performance.now());
        this.#state = state;
        for (const effect of effects) this.#perform(effect);
      }
    } finally {
      this.#busy = false;
    }
    this.#onSettled(this.#state);
    this.#sleep();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #sleep(): void {
    clearTimeout(this.#timer);
    const now = performance.now();
    const deadline = nextDeadline(this.#state, now);
    if (deadline === null) return;
    // Timers fire up to a millisecond early; a deadline that is not quite there would only be slept for again.
    const delayMs = Math.min(LONGEST_SLEEP_MS, Math.max(0, Math.ceil(deadline - now) + 1));
    this.#timer = setTimeout(() => this.dispatch({ type: 'ticked' }), delayMs);
  }
}
