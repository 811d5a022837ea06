/**
 * Whether clients that have connected and said nothing yet are to be waited for, before the program behind them is replaced. One
 * that has only just connected is about to ask, as a rule; those that stay silent must not hold anything up, however many follow
 * each other. No clock in it.
 */

/** What a request takes from the handshake to its arrival, on a busy machine. */
const FRESH_MS = 250;
/** For as long as that there may always be somebody who has just connected. */
const IN_ALL_MS = 2_000;
/** Who has not asked for so long asks for another occasion. */
const APART_MS = 1_000;

export class SilentClients {
  #from: number | null = null;
  #lookedAt = Number.NEGATIVE_INFINITY;

  /** To be asked again and again while it is waited. @param connectedAt of each silent client, in the same milliseconds as `now` */
  areAwaited(connectedAt: readonly number[], now: number): boolean {
    const isFresh = connectedAt.some((at) => now - at < FRESH_MS);
    if (!isFresh || now - this.#lookedAt > APART_MS) this.#from = null;
    this.#lookedAt = now;
    if (!isFresh) return false;
    this.#from ??= now;
    return now - this.#from < IN_ALL_MS;
  }
}
