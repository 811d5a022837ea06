/**
 * How much a worker may say: an allowance of work that fills up again with time, so that a worker which floods its channel
 * is slowed down, and in the end is taken for broken. Pure: time is an argument, in milliseconds of a monotonic clock.
 */

/** For each message, and for each KiB: about 5 µs of the supervisor's time. */
const KIB = 1024;
/** In work a second: for one worker, and for all of them together. */
const MOST_EACH = 4_000;
const MOST_TOGETHER = 32_000;
/** What may be said at once, in seconds of the allowance. */
const BURST_S = 2;
/** A worker that has been slowed for this long without a pause is not going to stop. */
export const FLOOD_MS = 10_000;

export class Allowance {
  #left: number | null = null;
  #at = 0;
  /** Since when it has been slowed and has not recovered. */
  #slowedAt: number | null = null;

  /**
   * @param workers among how many the supervisor's time is shared
   * @returns for how long nothing more is to be read of it, in milliseconds; 0 where it may go on
   */
  spend(work: { readonly messages: number; readonly bytes: number }, workers: number, now: number): number {
    const perSecond = Math.min(MOST_EACH, MOST_TOGETHER / Math.max(1, workers));
    const most = perSecond * BURST_S;
    const before = Math.min(most, (this.#left ?? most) + ((now - this.#at) / 1000) * perSecond);
    if (before >= most / 2) this.#slowedAt = null;
    this.#at = now;
    this.#left = before - work.messages - work.bytes / KIB;
    if (this.#left >= 0) return 0;
    this.#slowedAt ??= now;
    return Math.ceil((-this.#left / perSecond) * 1000);
  }

  isFlooded(now: number): boolean {
    return this.#slowedAt !== null && now - this.#slowedAt >= FLOOD_MS;
  }
}
