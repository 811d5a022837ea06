/**
 * The loop around the pure core: feeds it events one after the other, hands its effects to `perform`, and sleeps until
 * the nearest deadline. Owns the state; nobody else writes it.
 *
 * Total: whatever throws in an effect, in a subscriber or in the core itself is told to `onFault`, and everything else is
 * done all the same.
 */
import { nextDeadline } from '../core/deadline.js';
import { failedEffect } from '../core/failed-effect.js';
import { step } from '../core/step.js';
import type { Effect, Event, State } from '../core/types.js';

/** Timers of Node count in 32 bits: a longer wait is slept in pieces. */
const LONGEST_SLEEP_MS = 2 ** 31 - 1;
/** After a fault of the core: a deadline that it cannot deal with must not be all that the supervisor does. */
const AFTER_FAULT_MS = 1_000;

export interface LoopOptions {
  readonly perform: (effect: Effect) => void;
  /** Told of the state once no event is left to be done. */
  readonly subscribers: readonly ((state: State) => void)[];
  /** @param during what could not be done: an effect, an event that the core failed at, or null for a subscriber */
  readonly onFault: (error: unknown, during: Effect | Event | null) => void;
}

export class Loop {
  readonly #state: State;
  readonly #options: LoopOptions;
  readonly #queue: Event[] = [];
  #busy = false;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(state: State, options: LoopOptions) {
    this.#state = state;
    this.#options = options;
  }

  get state(): State {
    return this.#state;
  }

  /**
   * May be called from within `perform`: the events that come there wait until the effects of the present step are done,
   * and are then taken together, as those of one call are. Never throws.
   */
  dispatch(...events: readonly Event[]): void {
    this.#queue.push(...events);
    if (this.#busy) return;
    this.#busy = true;
    let failed = false;
    while (this.#queue.length > 0) {
      const { effects, faults } = step(this.#state, this.#queue.splice(0), performance.now());
      failed ||= faults.length > 0;
      for (const { error, event: during } of faults) this.#options.onFault(error, during);
      for (const effect of effects) this.#perform(effect);
    }
    this.#busy = false;
    for (const subscriber of this.#options.subscribers) {
      try {
        subscriber(this.#state);
      } catch (error) {
        this.#options.onFault(error, null);
      }
    }
    this.#sleep(failed ? AFTER_FAULT_MS : 0);
  }

  /** An effect could not be done, also where that turns out later: the core hears of it. */
  failed(effect: Effect, error: unknown): void {
    this.#options.onFault(error, effect);
    const reason = error instanceof Error ? error.message : String(error);
    const event = failedEffect(effect, reason, Math.random());
    if (event !== null) this.dispatch(event);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #perform(effect: Effect): void {
    try {
      this.#options.perform(effect);
    } catch (error) {
      this.failed(effect, error);
    }
  }

  #sleep(leastMs: number): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    const now = performance.now();
    const deadline = this.#nextDeadline(now);
    if (deadline === null) return;
    // Timers fire up to a millisecond early; a deadline that is not quite there would only be slept for again.
    const delayMs = Math.min(LONGEST_SLEEP_MS, Math.max(leastMs, Math.ceil(deadline - now) + 1));
    this.#timer = setTimeout(() => this.dispatch({ type: 'ticked' }), delayMs);
  }

  #nextDeadline(now: number): number | null {
    try {
      return nextDeadline(this.#state, now);
    } catch (error) {
      this.#options.onFault(error, null);
      return now + AFTER_FAULT_MS;
    }
  }
}
