/**
 * The application's own metrics, of all workers together or of each slot: merged as prom-client's `aggregator` says. What a worker
 * had counted is kept when it ends, so that a sum of counters never goes back. Pure.
 */
import type { ApplicationMetrics } from '../protocol/measured.js';
import { described, type Kind, readSeries, type Series } from './application-series.js';
import { fillIn, type Summed } from './buckets.js';
import type { Family, Labels, Sample } from './formats/family.js';
import { GrowingSums } from './growing-sums.js';
import { type Kept, keep } from './kept-series.js';

/** Kept of workers that have ended, in all slots: more are left out, and counted. */
const MOST_KEPT = 20_000;

type Combine = (values: readonly number[]) => number;

const sum: Combine = (values) => values.reduce((all, value) => all + value, 0);

/** By prom-client's names; of `omit` nothing is told. */
const COMBINE: Readonly<Record<string, Combine>> = {
  sum,
  first: (values) => values[0] ?? Number.NaN,
  average: (values) => sum(values) / values.length,
  min: (values) => Math.min(...values),
  max: (values) => Math.max(...values),
};

interface Description {
  readonly text: string;
  readonly series: readonly Series[];
  /** By their names. */
  readonly kinds: ReadonlyMap<string, Kind>;
  users: number;
}

interface Told {
  readonly slot: number;
  readonly description: Description;
  readonly version: number;
  values: readonly (number | null)[];
  left: number;
}

/** Of what is written down: another one means something else. */
const FORMAT = 1;
/** Of workers: there are 256, and two for each slot at most. */
const MOST_WORKERS = 1_024;

export interface ApplicationData {
  readonly format: typeof FORMAT;
  /** Descriptions of metrics, as workers have given them; those of workers are numbers of these. */
  readonly descriptions: readonly string[];
  readonly live: readonly {
    readonly worker: number;
    readonly slot: number;
    readonly description: number;
    readonly version: number;
    readonly values: readonly (number | null)[];
    readonly left: number;
  }[];
  /** Descriptions and values of a slot, in as many parts as it needs. */
  readonly kept: readonly { readonly slot: number; readonly schema: string; readonly values: readonly number[] }[];
  readonly keptLeft: number;
  /** Sums that were told and are larger than what they are made of. */
  readonly ahead?: readonly (readonly [key: string, told: number])[];
}

export interface Merged {
  readonly families: readonly Family[];
  readonly series: number;
  readonly left: number;
}

interface Found extends Summed {
  /** Of a worker that is there. */
  readonly isLive: boolean;
}

export class ApplicationTallies {
  readonly #told = new Map<number, Told>();
  /** Most workers have the same. */
  readonly #descriptions = new Map<string, Description>();
  readonly #kept = new Map<number, Kept>();
  readonly #sums = { together: new GrowingSums(), bySlot: new GrowingSums() };
  #keptSize = 0;
  #keptLeft = 0;
  readonly #isTaken: (name: string) => boolean;

  /** @param isTaken whether a metric of that name is holdfast's own */
  constructor(isTaken: (name: string) => boolean) {
    this.#isTaken = isTaken;
  }

  /** As plain data, for the supervisor that takes over. */
  toJSON(): ApplicationData {
    // Workers may have ended since anybody was told.
    for (const bySlot of [false, true]) this.merge(bySlot);
    const descriptions = [...this.#descriptions.keys()];
    const live = [...this.#told].slice(-MOST_WORKERS).map(([worker, { slot, description, version, values, left }]) => ({
      ...{ worker, slot, version, left, values },
      description: descriptions.indexOf(description.text),
    }));
    const kept = [...this.#kept].flatMap(([slot, series]) =>
      described([...series.values()]).map((part) => ({ slot, ...part })),
    );
    const ahead = [...this.#sums.together.ahead, ...this.#sums.bySlot.ahead];
    return { format: FORMAT, descriptions, live, kept, keptLeft: this.#keptLeft, ahead };
  }

  /**
   * What is of another format, or cannot be understood, is as if it were not there. A worker that did not come along has to be
   * told as gone.
   */
  static fromJSON(data: unknown, isTaken: (name: string) => boolean): ApplicationTallies {
    const tallies = new ApplicationTallies(isTaken);
    if ((data as Partial<ApplicationData> | null)?.format !== FORMAT) return tallies;
    const { descriptions, live, kept, keptLeft, ahead } = data as ApplicationData;
    // The keys of a slot begin with its number, and are of no use to the other.
    for (const sums of Object.values(tallies.#sums)) sums.restore(ahead);
    if (![descriptions, live, kept].every(Array.isArray)) return tallies;
    // What was kept is what a worker had that ended: it may have the id of none.
    for (const one of kept) {
      const { slot, schema, values } = one ?? {};
      if (!isIndex(slot) || !areNumbers(values)) continue;
      tallies.heard(-1, slot, { version: 1, schema, values, left: 0, failure: null });
      tallies.gone(-1);
    }
    for (const one of live.slice(0, MOST_WORKERS)) {
      const { worker, slot, description, version, values, left } = one ?? {};
      const schema = descriptions[description];
      if (![worker, slot, version, left].every(isIndex) || typeof schema !== 'string' || !areNumbers(values)) continue;
      tallies.heard(worker, slot, { version, schema, values, left, failure: null });
    }
    if (isIndex(keptLeft)) tallies.#keptLeft += keptLeft;
    return tallies;
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

  /** Of workers that did not come along. */
  retain(isThere: (worker: number) => boolean): void {
    for (const worker of [...this.#told.keys()]) if (!isThere(worker)) this.gone(worker);
  }

  gone(worker: number): void {
    const ended = this.#told.get(worker);
    if (ended === undefined) return;
    this.#told.delete(worker);
    const { description, values, slot } = ended;
    this.#letGo(description);
    const kept: Kept = this.#kept.get(slot) ?? new Map();
    this.#kept.set(slot, kept);
    const { added, left } = keep(kept, description.series, values, MOST_KEPT - this.#keptSize);
    this.#keptSize += added;
    this.#keptLeft += left;
  }

  /** @param bySlot each slot for itself, under a label of that name */
  merge(bySlot: boolean): Merged {
    const found = new Map<string, Found>();
    let part = 0;
    const note = (series: Series, slot: number, isLive: boolean, values: readonly number[]) => {
      const key = bySlot ? `${slot} ${series.key}` : series.key;
      const same = found.get(key) ?? { series, slot, isLive, values: [], parts: [] };
      if (same.parts.length === 0) found.set(key, same);
      same.values.push(...values);
      same.parts.push(part);
    };
    let left = this.#keptLeft;
    // First those that live: what a metric is now is theirs to say.
    const kinds = new Map<string, Kind>();
    for (const told of this.#alike(bySlot)) {
      part += 1;
      const [{ description, slot }] = told;
      for (const one of told) left += one.left;
      for (const [name, kind] of description.kinds) if (!kinds.has(name)) kinds.set(name, kind);
      const added = sums(told, description.series.length);
      for (const [i, series] of description.series.entries()) {
        // Most are added up; of the others each is wanted.
        if (series.kind.aggregator === 'sum') note(series, slot, true, [added[i] ?? Number.NaN]);
        else note(series, slot, true, column(told, i));
      }
    }
    for (const [slot, kept] of this.#kept) {
      part += 1;
      for (const { series, value } of kept.values()) {
        const now = kinds.get(series.kind.name);
        // A release has made something else of it: what the one before had counted is no part of that.
        if (now === undefined || (now.type === series.kind.type && now.aggregator === 'sum'))
          note(series, slot, false, [value]);
      }
    }
    const growing = bySlot ? this.#sums.bySlot : this.#sums.together;
    const families = new Map<string, { kind: Kind; samples: Sample[] }>();
    let count = 0;
    for (const [key, { series, slot, isLive, values }] of fillIn(found, bySlot)) {
      const { kind, suffix, labels } = series;
      const family = families.get(kind.name) ?? { kind, samples: [] };
      const combine = COMBINE[family.kind.aggregator];
      if (combine === undefined) continue;
      // Of another type than the one that came first: a release has changed it.
      if (family.kind.type !== kind.type || this.#isTaken(kind.name)) {
        if (isLive) left += 1;
        continue;
      }
      families.set(kind.name, family);
      const own = bySlot ? withSlot(labels, slot) : labels;
      const value = combine(values);
      family.samples.push({ suffix, labels: own, value: series.grows ? growing.tell(key, value) : value });
      count += 1;
    }
    growing.retain(found);
    const all = [...families.values()].map(({ kind, samples }): Family => ({ ...kind, parts: [samples] }));
    return { families: all, series: count, left };
  }

  /** What is read together: of one description, as most workers have the same, or of each worker. */
  #alike(bySlot: boolean): readonly (readonly [Told, ...Told[]])[] {
    if (bySlot) return [...this.#told.values()].map((told) => [told]);
    const groups = new Map<Description, [Told, ...Told[]]>();
    for (const told of this.#told.values()) {
      const group = groups.get(told.description);
      if (group === undefined) groups.set(told.description, [told]);
      else group.push(told);
    }
    return [...groups.values()];
  }

  #describe(text: string): Description | null {
    const known = this.#descriptions.get(text);
    if (known !== undefined) return known;
    const series = readSeries(text);
    if (series === null) return null;
    const kinds = new Map(series.map(({ kind }) => [kind.name, kind]));
    const description = { text, series, kinds, users: 0 };
    this.#descriptions.set(text, description);
    return description;
  }

  #letGo(description: Description): void {
    description.users -= 1;
    if (description.users === 0) this.#descriptions.delete(description.text);
  }
}

/** Worker by worker, which is ten times as quick as series by series. */
function sums(told: readonly Told[], series: number): Float64Array {
  const all = new Float64Array(series);
  for (const { values } of told) for (let i = 0; i < series; i++) all[i] = (all[i] ?? 0) + (values[i] ?? Number.NaN);
  return all;
}

function column(told: readonly Told[], at: number): number[] {
  return told.map(({ values }) => values[at] ?? Number.NaN);
}

/** As Prometheus does it with a label that it sets itself: that of the application has another name then. */
function withSlot(labels: Labels, slot: number): Labels {
  let other = 'exported_slot';
  while (labels.some(([name]) => name === other)) other = `exported_${other}`;
  const own = labels.map(([name, value]) => [name === 'slot' ? other : name, value] as const);
  return [...own, ['slot', String(slot)]];
}

function isIndex(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function areNumbers(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => one === null || typeof one === 'number');
}
