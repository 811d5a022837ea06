/**
 * The application's own metrics, of all workers together or of each slot: merged as prom-client's `aggregator` says. What a worker
 * had counted is kept when it ends, so that a sum of counters never goes back. Pure.
 */
import type { ApplicationMetrics, ApplicationSchema } from '../protocol.js';
import type { Family, Labels, Sample } from './family.js';
import { labelText } from './text-format.js';

/** Kept of workers that have ended, in all slots: more are left out, and counted. */
const MOST_KEPT = 20_000;
/** So many families are known at most. */
const MOST_FAMILIES = 4_000;
const NAME = /^[A-Za-z_:][\w:]*$/;
const LABEL = /^[A-Za-z_]\w*$/;
const SUFFIX = /^(?:|_total|_bucket|_sum|_count)$/;
const TYPES: ReadonlySet<string> = new Set(['counter', 'gauge', 'histogram', 'summary']);

type Type = Family['type'];
type Combine = (values: readonly number[]) => number;

/** By prom-client's names; of `omit` nothing is told. */
const COMBINE: Readonly<Record<string, Combine>> = {
  sum: (values) => values.reduce((sum, value) => sum + value, 0),
  first: (values) => values[0] ?? Number.NaN,
  average: (values) => values.reduce((sum, value) => sum + value, 0) / values.length,
  min: (values) => Math.min(...values),
  max: (values) => Math.max(...values),
};

interface Kind {
  readonly name: string;
  readonly help: string;
  readonly type: Type;
  readonly aggregator: string;
}

interface Series {
  readonly kind: Kind;
  readonly key: string;
  readonly suffix: string;
  readonly labels: Labels;
  /** Whether it only grows, so that what has ended counts on. */
  readonly grows: boolean;
}

interface Description {
  readonly text: string;
  readonly series: readonly Series[];
  users: number;
}

interface Told {
  readonly slot: number;
  readonly description: Description;
  readonly version: number;
  values: readonly (number | null)[];
  left: number;
}

export interface Merged {
  readonly families: readonly Family[];
  readonly series: number;
  readonly left: number;
}

export class ApplicationTallies {
  readonly #told = new Map<number, Told>();
  /** Most workers have the same. */
  readonly #descriptions = new Map<string, Description>();
  readonly #kept = new Map<number, Map<string, { readonly series: Series; value: number }>>();
  #keptSize = 0;
  #keptLeft = 0;
  readonly #isTaken: (name: string) => boolean;

  /** @param isTaken whether a metric of that name is holdfast's own */
  constructor(isTaken: (name: string) => boolean) {
    this.#isTaken = isTaken;
  }

  /** The version that is known of a worker; 0 for none. */
  version(worker: number): number {
    return this.#told.get(worker)?.version ?? 0;
  }

  /** What cannot be understood is as if it had not come: it may be forged. */
  heard(worker: number, slot: number, { version, schema, values, left }: ApplicationMetrics): void {
    if (version === 0) return;
    const known = this.#told.get(worker);
    if (schema === undefined) {
      if (known?.version !== version || known.description.series.length > values.length) return;
      known.values = values;
      known.left = left;
      return;
    }
    const description = this.#describe(schema);
    if (description === null || description.series.length > values.length) return;
    description.users += 1;
    if (known !== undefined) this.#letGo(known.description);
    this.#told.set(worker, { slot, description, version, values, left });
  }

  gone(worker: number): void {
    const ended = this.#told.get(worker);
    if (ended === undefined) return;
    this.#told.delete(worker);
    const { description, values, slot } = ended;
    this.#letGo(description);
    const kept = this.#kept.get(slot) ?? new Map<string, { series: Series; value: number }>();
    this.#kept.set(slot, kept);
    for (const [i, series] of description.series.entries()) {
      const value = values[i];
      if (!series.grows || typeof value !== 'number') continue;
      const before = kept.get(series.key);
      if (before !== undefined) before.value += value;
      else if (this.#keptSize >= MOST_KEPT) this.#keptLeft += 1;
      else {
        this.#keptSize += 1;
        kept.set(series.key, { series, value });
      }
    }
  }

  /** @param bySlot each slot for itself, under a label of that name */
  merge(bySlot: boolean): Merged {
    const found = new Map<string, { series: Series; slot: number; values: number[] }>();
    const note = (series: Series, slot: number, value: number | null | undefined) => {
      const key = bySlot ? `${slot} ${series.key}` : series.key;
      const number = value ?? Number.NaN;
      const same = found.get(key);
      if (same === undefined) found.set(key, { series, slot, values: [number] });
      else same.values.push(number);
    };
    let left = this.#keptLeft;
    // First those that live: what a metric is now is theirs to say.
    for (const { description, values, slot, left: more } of this.#told.values()) {
      left += more;
      for (const [i, series] of description.series.entries()) note(series, slot, values[i]);
    }
    for (const [slot, kept] of this.#kept) for (const { series, value } of kept.values()) note(series, slot, value);
    const families = new Map<string, { kind: Kind; samples: Sample[] }>();
    let count = 0;
    for (const { series, slot, values } of found.values()) {
      const { kind, suffix, labels } = series;
      const family = families.get(kind.name) ?? { kind, samples: [] };
      const combine = COMBINE[family.kind.aggregator];
      if (combine === undefined) continue;
      // Of another type than the one that came first: a release has changed it.
      if (family.kind.type !== kind.type || this.#isTaken(kind.name)) {
        left += 1;
        continue;
      }
      families.set(kind.name, family);
      const own = bySlot ? withSlot(labels, slot) : labels;
      family.samples.push({ suffix, labels: own, value: combine(values) });
      count += 1;
    }
    const all = [...families.values()].map(({ kind, samples }): Family => ({ ...kind, samples }));
    return { families: all, series: count, left };
  }

  #describe(text: string): Description | null {
    const known = this.#descriptions.get(text);
    if (known !== undefined) return known;
    const series = read(text);
    if (series === null) return null;
    const description = { text, series, users: 0 };
    this.#descriptions.set(text, description);
    return description;
  }

  #letGo(description: Description): void {
    description.users -= 1;
    if (description.users === 0) this.#descriptions.delete(description.text);
  }
}

/** As Prometheus does it with a label that it sets itself: that of the application has another name then. */
function withSlot(labels: Labels, slot: number): Labels {
  const own = labels.map(([name, value]) => [name === 'slot' ? 'exported_slot' : name, value] as const);
  return [...own, ['slot', String(slot)]];
}

/** @returns null for what is no description of metrics */
function read(text: string): readonly Series[] | null {
  try {
    const families = JSON.parse(text) as readonly ApplicationSchema[];
    if (!Array.isArray(families) || families.length > MOST_FAMILIES) return null;
    return families.flatMap(({ name, help, type, aggregator, series }: ApplicationSchema) => {
      if (!NAME.test(name) || !TYPES.has(type) || typeof help !== 'string') throw new TypeError(name);
      const kind: Kind = { name, help, type: type as Type, aggregator: String(aggregator) };
      return series.map(([metricName, given]): Series => {
        const suffix = metricName.slice(name.length);
        const labels = Object.entries(given).sort(([a], [b]) => (a < b ? -1 : 1));
        const isSound = labels.every(([label, value]) => LABEL.test(label) && typeof value === 'string');
        if (!metricName.startsWith(name) || !SUFFIX.test(suffix) || !isSound) throw new TypeError(metricName);
        const isTotal = type === 'counter' || suffix === '_bucket' || suffix === '_sum' || suffix === '_count';
        const key = `${metricName}${labelText(labels)}`;
        return { kind, key, suffix, labels, grows: isTotal && kind.aggregator === 'sum' };
      });
    });
  } catch {
    return null;
  }
}
