/**
 * The last hour of the application: each second of the last five minutes, every ten seconds of the last half hour, each minute of the
 * hour. Of a size that never changes. Pure.
 */
import { PAGE_FIELDS, type PageField, type PageValues } from '../protocol/page.js';

/** Of these the worst is what matters, of the others the mean. */
const WORST: ReadonlySet<PageField> = new Set(['p99Ms', 'loopDelayMs', 'queue']);
const RESOLUTIONS = [
  { everyS: 1, length: 300 },
  { everyS: 10, length: 180 },
  { everyS: 60, length: 60 },
] as const;

/** Of what is written down: another one means something else. */
const FORMAT = 1;

interface Point {
  readonly at: number;
  readonly values: PageValues;
}
interface RingData {
  readonly everyS: number;
  readonly points: readonly Point[];
  readonly open: { readonly at: number; readonly samples: readonly PageValues[] } | null;
}
export interface CourseData {
  readonly format: typeof FORMAT;
  readonly rings: readonly RingData[];
}

class Ring {
  readonly everyS: number;
  readonly #length: number;
  #points: Point[] = [];
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

  toJSON(): RingData {
    const open = this.#open;
    return { everyS: this.everyS, points: [...this.#points], open: open && { ...open, samples: [...open.samples] } };
  }

  restore({ points, open }: RingData): void {
    this.#points = points.slice(-this.#length).map(({ at, values }) => ({ at, values }));
    this.#open = open && { at: open.at, samples: open.samples.slice(0, 2 * this.everyS) };
  }

  get points(): readonly Point[] {
    const open = this.#open;
    return open === null ? this.#points : [...this.#points, { at: open.at, values: together(open.samples) }];
  }
}

export class Course {
  readonly #rings = RESOLUTIONS.map(({ everyS, length }) => new Ring(everyS, length));

  /** As plain data, for the supervisor that takes over. */
  toJSON(): CourseData {
    return { format: FORMAT, rings: this.#rings.map((ring) => ring.toJSON()) };
  }

  /** What is of another format, or cannot be understood, is as if it were not there. */
  static fromJSON(data: unknown): Course {
    const course = new Course();
    const { format, rings } = (data ?? {}) as Partial<Record<keyof CourseData, unknown>>;
    if (format !== FORMAT || !Array.isArray(rings)) return course;
    for (const ring of course.#rings) {
      const told = rings.find((one) => (one as RingData | null)?.everyS === ring.everyS);
      if (isRing(told)) ring.restore(told);
    }
    return course;
  }

  /** @param at seconds since 1970 */
  add(at: number, values: PageValues): void {
    for (const ring of this.#rings) ring.add(at, values);
  }

  /** The oldest first, each time in the finest resolution that there is of it. */
  get history(): { readonly at: readonly number[]; readonly values: readonly PageValues[] } {
    let found: Point[] = [];
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

function isRing(value: unknown): value is RingData {
  const { points, open } = (value ?? {}) as Partial<Record<keyof RingData, unknown>>;
  if (!Array.isArray(points) || open === undefined || !points.every(isPoint)) return false;
  if (open === null) return true;
  const { at, samples } = open as { at?: unknown; samples?: unknown };
  return Number.isFinite(at) && Array.isArray(samples) && samples.every(areValues);
}

function isPoint(value: unknown): value is Point {
  const { at, values } = (value ?? {}) as Partial<Record<keyof Point, unknown>>;
  return Number.isFinite(at) && areValues(values);
}

function areValues(value: unknown): value is PageValues {
  const isWhole = Array.isArray(value) && value.length === PAGE_FIELDS.length;
  return isWhole && value.every((one) => one === null || Number.isFinite(one));
}
