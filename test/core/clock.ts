/** Simulated time and chance: what is due happens in order, and the same seed brings the same course of things. */

interface Planned {
  readonly at: number;
  readonly order: number;
  readonly happen: () => void;
}

export class Clock {
  now = 0;
  readonly #planned: Planned[] = [];
  #order = 0;
  #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** 0 (inclusive) to 1 (exclusive): mulberry32, a generator with 32 bits of state. */
  chance(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let bits = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  }

  happens(probability: number): boolean {
    return this.chance() < probability;
  }

  /** Milliseconds, with fractions, as real clocks have them. */
  between(leastMs: number, mostMs: number): number {
    return leastMs + this.chance() * (mostMs - leastMs);
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.chance() * items.length)];
  }

  at(time: number, happen: () => void): void {
    this.#order += 1;
    this.#planned.push({ at: Math.max(this.now, time), order: this.#order, happen });
  }

  after(ms: number, happen: () => void): void {
    this.at(this.now + ms, happen);
  }

  /** When the next thing happens; null when nothing is planned. */
  get next(): number | null {
    return this.#first()?.at ?? null;
  }

  /** Goes on to the next thing and lets it happen. */
  advance(): void {
    const first = this.#first();
    if (first === undefined) return;
    this.#planned.splice(this.#planned.indexOf(first), 1);
    this.now = first.at;
    first.happen();
  }

  #first(): Planned | undefined {
    let first: Planned | undefined;
    for (const planned of this.#planned) {
      const sooner =
        first === undefined || planned.at < first.at || (planned.at === first.at && planned.order < first.order);
      if (sooner) first = planned;
    }
    return first;
  }
}
