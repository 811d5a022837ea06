/** Chance that can be had again, and the clock that all processes of a machine share. */

/** Numbers of 0 to 1, the same for the same seed (mulberry32). */
export function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = state;
    bits = Math.imul(bits ^ (bits >>> 15), bits | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class Dice {
  constructor(seed) {
    this.random = randomFrom(seed);
  }

  between(least, most) {
    return Math.round(least + this.random() * (most - least));
  }

  chance(share) {
    return this.random() < share;
  }

  /** @returns undefined of nothing */
  of(list) {
    return list[Math.floor(this.random() * list.length)];
  }

  /** @param weights by name */
  weighted(weights) {
    const names = Object.keys(weights);
    let left = this.random() * names.reduce((sum, name) => sum + weights[name], 0);
    for (const name of names) {
      left -= weights[name];
      if (left < 0) return name;
    }
    return names.at(-1);
  }
}

/** Of the system's monotonic clock, with fractions. */
export function monotonicMs() {
  return Number(process.hrtime.bigint()) / 1e6;
}
