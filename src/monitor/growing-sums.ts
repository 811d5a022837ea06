/**
 * Sums of fractions that must not go back. In another order, as when a worker ends, a sum differs in its last digits: Prometheus
 * would take that for a reset, and count all of it anew. Pure.
 */

/** By so much of itself a sum differs at most with the order: thousands of parts, each with an error of 2^-53. */
const ROUNDING = 1e-10;
const MOST = 20_000;

export class GrowingSums {
  readonly #told = new Map<string, number>();
  /** Those that were told and are larger than what they are made of. */
  readonly #ahead = new Map<string, number>();

  /** What a supervisor that takes over has to know. */
  get ahead(): readonly (readonly [key: string, told: number])[] {
    return [...this.#ahead].slice(0, MOST);
  }

  /** Of whom nothing is told any more: what an application has taken away must not be remembered for ever. */
  retain(isTold: { has(key: string): boolean; readonly size: number }): void {
    if (this.#told.size <= isTold.size) return;
    for (const key of this.#told.keys()) {
      if (isTold.has(key)) continue;
      this.#told.delete(key);
      this.#ahead.delete(key);
    }
  }

  /** As something of anybody's: what cannot be understood is left out. */
  restore(ahead: unknown): void {
    if (!Array.isArray(ahead)) return;
    for (const entry of ahead.slice(0, 2 * MOST) as unknown[]) {
      const [key, told] = Array.isArray(entry) ? (entry as unknown[]) : [];
      if (typeof key === 'string' && typeof told === 'number' && Number.isFinite(told)) this.#told.set(key, told);
    }
  }

  /** @returns what to tell: the sum, or what was told of it before, where that is larger by no more than rounding */
  tell(key: string, sum: number): number {
    const before = this.#told.get(key);
    if (before !== undefined && sum < before && before - sum <= before * ROUNDING) {
      this.#ahead.set(key, before);
      return before;
    }
    this.#told.set(key, sum);
    if (this.#ahead.size > 0) this.#ahead.delete(key);
    return sum;
  }
}
