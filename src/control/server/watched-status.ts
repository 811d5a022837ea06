/**
 * The status with the figures of the workers, for those who look on all the time: made at most once a second, however many they
 * are, and only while one of them asks.
 */
import type { SupervisorStatus } from '../../protocol/status.js';

/** A little less than a second, so that who asks once a second has a new one each time. */
const FRESH_MS = 900;

export class WatchedStatus {
  readonly #make: () => Promise<SupervisorStatus>;
  readonly #now: () => number;
  #latest: { readonly madeAt: number; readonly answer: Promise<SupervisorStatus>; pending: boolean } | null = null;

  constructor(make: () => Promise<SupervisorStatus>, now: () => number = () => performance.now()) {
    this.#make = make;
    this.#now = now;
  }

  get(): Promise<SupervisorStatus> {
    const now = this.#now();
    const latest = this.#latest;
    if (latest !== null && (latest.pending || now - latest.madeAt < FRESH_MS)) return latest.answer;
    const made = { madeAt: now, answer: this.#make(), pending: true };
    this.#latest = made;
    made.answer.then(
      () => {
        made.pending = false;
      },
      () => {
        if (this.#latest === made) this.#latest = null;
      },
    );
    return made.answer;
  }
}
