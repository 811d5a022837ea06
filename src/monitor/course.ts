/**
 * The last hour of the application: each second of the last five minutes, every ten seconds of the last half hour, each minute of the
 * hour. Of a size that never changes. Pure.
 */
import type { PageField, PageValues } from '../protocol.js';

export const PAGE_FIELDS = [
  'requests',
  'errors',
  'p50Ms',
  'p99Ms',
  'loopDelayMs',
  'memoryBytes',
  'cpu',
  'connections',
  'queue',
] as const satisfies readonly PageField[];

/** Of these the worst is what matters, of the others the mean. */
const WORST: ReadonlySet<PageField> = new Set(['p99Ms', 'loopDelayMs', 'queue']);
const RESOLUTIONS = [
  { everyS: 1, length: 300 },
  { everyS: 10, length: 180 },
  { everyS: 60, length: 60 },
] as const;

class Ring {
  readonly everyS: number;
  readonly #length: number;
  readonly #points: { readonly at: number; readonly values: PageValues }[] = [];
  /** Of the time that is not over. */
  #open: { readonly at: number; readonly samples: PageValues[] } | null = null;

  constructor(everyS: number, length: number) {
    this.everyS = everyS;
    this.#length = length;
  }

  add(at: number, values: PageValues): void {
    const begins = Math.floor(at / this.everyS) * this.everyS;
    if (this.#open !== null && this.#open.at !== begins) {
      this.#points.push({ at: this.#open.at, values: together(this.#open.samples) });
      if (this.#points.length > this.#length) this.#points.shift();
      this.#open = null;
    }
    this.#open ??= { at: begins, samples: [] };
    // A clock that is set back must not make it grow.
    if (this.#open.samples.length < 2 * this.everyS) this.#open.samples.push(values);
  }

  get points(): readonly { readonly at: number; readonly values: PageValues }[] {
    const open = this.#open;
    return open === null ? this.#points : [...this.#points, { at: open.at, values: together(open.samples) }];
  }
}

export class Course {
  readonly #rings = RESOLUTIONS.map(({ everyS, length }) => new Ring(everyS, length));

  /** @param at seconds since 1970 */
  add(at: number, values: PageValues): void {
    for (const ring of this.#rings) ring.add(at, values);
  }

  /** The oldest first, each time in the finest resolution that there is of it. */
  get history(): { readonly at: readonly number[]; readonly values: readonly PageValues[] } {
    let found: { readonly at: number; readonly values: PageValues }[] = [];
    for (const { points, everyS } of this.#rings) {
      const [oldest] = found;
      // What is in the finer one is not told twice.
      const older = oldest === undefined ? points : points.filter(({ at }) => at + everyS <= oldest.at);
      found = [...older, ...found];
    }
    return { at: found.map(({ at }) => at), values: found.map(({ values }) => values) };
  }
}

function together(samples: readonly PageValues[]): PageValues {
  return PAGE_FIELDS.map((field, i) => {
    const known = samples.flatMap((sample) => sample[i] ?? []);
    if (known.length === 0) return null;
    return WORST.has(field) ? Math.max(...known) : known.reduce((sum, value) => sum + value, 0) / known.length;
  });
}
