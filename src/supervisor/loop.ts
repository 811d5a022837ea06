/**
 * The loop around the pure core and its table of sockets: feeds them events one after the other, hands their effects to
 * `perform`, and sleeps until the nearest deadline. Owns the state; nobody else writes it.
 *
 * Total: whatever throws in an effect, in a subscriber or in the core itself is told to `onFault`, and everything else is
 * done all the same.
 */
import type { SocketTable } from '../core/adoption/types.js';
import { failedEffect } from '../core/failed-effect.js';
import type { State } from '../core/state/types.js';
import { type AnyEffect, type AnyEvent, advance, nextWake, type Supervision } from '../core/supervision.js';

/** Timers of Node count in 32 bits: a longer wait is slept in pieces. */
const LONGEST_SLEEP_MS = 2 ** 31 - 1;
/** After a fault of the core: a deadline that it cannot deal with must not be all that the supervisor does. */
const AFTER_FAULT_MS = 1_000;

export interface LoopOptions {
  readonly perform: (effect: AnyEffect) => void;
  /** Told of the state once no event is left to be done, unless all that came was what a look has found. */
  readonly subscribers: readonly ((state: State) => void)[];
  /** @param during what could not be done: an effect, an event that the core failed at, or null for a subscriber */
  readonly onFault: (error: unknown, during: AnyEffect | AnyEvent | null) => void;
}

export class Loop {
  readonly #supervision: Supervision;
  readonly #options: LoopOptions;
  readonly #queue: AnyEvent[] = [];
  #busy = false;
  #turns = 0;
  /** When something is due; null while nothing is waited for. */
  #wakeAt: number | null = null;
  #closed = false;
  #halted = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(supervision: Supervision, options: LoopOptions) {
    this.#supervision = supervision;
    this.#options = options;
  }

  get state(): State {
    return this.#supervision.state;
  }

  get sockets(): SocketTable {
    return this.#supervision.sockets;
  }

  /** How often it has come to rest with news. */
  get turns(): number {
    return this.#turns;
  }

  /**
   * May be called from within `perform`: the events that come there wait until the effects of the present step are done,
   * and are then taken together, as those of one call are. Never throws.
   */
  dispatch(...events: readonly AnyEvent[]): void {
    if (this.#halted) return;
    this.#queue.push(...events);
    if (this.#busy) return;
    this.#busy = true;
    let failed = false;
    let hasNews = false;
    while (this.#queue.length > 0) {
      const now = performance.now();
      // Whatever woke it up: what is due must not depend on the timer that is set for it.
      if (this.#wakeAt !== null && this.#wakeAt <= now) this.#queue.push({ type: 'ticked' });
      this.#wakeAt = null;
      const { effects, faults, isNews } = advance(this.#supervision, this.#queue.splice(0), now);
      failed ||= faults.length > 0;
      hasNews ||= isNews;
      for (const { error, event: during } of faults) this.#options.onFault(error, during);
      for (const effect of effects) this.#perform(effect);
    }
    this.#busy = false;
    if (hasNews) this.#turns += 1;
    for (const subscriber of hasNews ? this.#options.subscribers : []) {
      try {
        subscriber(this.state);
      } catch (error) {
        this.#options.onFault(error, null);
      }
    }
    this.#sleep(failed ? AFTER_FAULT_MS : 0);
  }

  /** An effect could not be done, also where that turns out later: the core hears of it. */
  failed(effect: AnyEffect, error: unknown): void {
    this.#options.onFault(error, effect);
    const reason = error instanceof Error ? error.message : String(error);
    const event = failedEffect(effect, reason, Math.random());
    if (event !== null) this.dispatch(event);
  }

  /** Whatever comes from now on is somebody else's concern. */
  halt(): void {
    this.#halted = true;
    this.close();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #perform(effect: AnyEffect): void {
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
    const deadline = this.#nextWake(now);
    this.#wakeAt = deadline;
    if (deadline === null) return;
    // Timers fire up to a millisecond early; a deadline that is not quite there would only be slept for again.
    const delayMs = Math.min(LONGEST_SLEEP_MS, Math.max(leastMs, Math.ceil(deadline - now) + 1));
    this.#timer = setTimeout(() => this.dispatch({ type: 'ticked' }), delayMs);
  }

  #nextWake(now: number): number | null {
    try {
      return nextWake(this.#supervision, now);
    } catch (error) {
      this.#options.onFault(error, null);
      return now + AFTER_FAULT_MS;
    }
  }
}
