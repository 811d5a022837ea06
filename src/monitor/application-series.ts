/** What workers say of their application's metrics: read as series, and series written as a worker would tell of them. Pure. */
import type { ApplicationSchema } from '../protocol/measured.js';
import type { Family, Labels } from './formats/family.js';
import { labelText } from './formats/text-format.js';

/** So many families are known at most. */
const MOST_FAMILIES = 4_000;
const NAME = /^[A-Za-z_:][\w:]*$/;
const LABEL = /^[A-Za-z_]\w*$/;
const SUFFIX = /^(?:|_total|_bucket|_sum|_count)$/;
const TYPES: ReadonlySet<string> = new Set(['counter', 'gauge', 'histogram', 'summary']);

type Type = Family['type'];

export interface Kind {
  readonly name: string;
  readonly help: string;
  readonly type: Type;
  readonly aggregator: string;
}

export interface Series {
  readonly kind: Kind;
  readonly key: string;
  readonly suffix: string;
  readonly labels: Labels;
  /** Whether it only grows, so that what has ended counts on. */
  readonly grows: boolean;
  /** Of a histogram: which one it belongs to, and the bound, where it is a bucket. */
  readonly histogram: { readonly of: string; readonly bound: number | null } | null;
}

/** @returns null for what is no description of metrics */
export function readSeries(text: string): readonly Series[] | null {
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
        // A release may have another kind of metric under the name, which counts something else.
        const key = `${type} ${metricName}${labelText(labels)}`;
        const histogram = type === 'histogram' ? placeOf(name, suffix, labels) : null;
        return { kind, key, suffix, labels, grows: isTotal && kind.aggregator === 'sum', histogram };
      });
    });
  } catch {
    return null;
  }
}

function placeOf(name: string, suffix: string, labels: Labels): Series['histogram'] {
  const bound = suffix === '_bucket' ? labels.find(([label]) => label === 'le')?.[1] : undefined;
  const others = labels.filter(([label]) => label !== 'le');
  return {
    of: `${name}${labelText(others)}`,
    bound: bound === undefined ? null : bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound),
  };
}

/** As a worker would tell of them: no part has more families than are read. */
export function described(all: readonly { readonly series: Series; readonly value: number }[]) {
  const families = new Map<string, { readonly kind: Kind; readonly samples: (typeof all)[number][] }>();
  for (const one of all) {
    const { kind } = one.series;
    const key = JSON.stringify(kind);
    const family = families.get(key) ?? { kind, samples: [] };
    family.samples.push(one);
    families.set(key, family);
  }
  const whole = [...families.values()];
  return Array.from({ length: Math.ceil(whole.length / MOST_FAMILIES) }, (_none, i) => {
    const part = whole.slice(i * MOST_FAMILIES, (i + 1) * MOST_FAMILIES);
    const schema = part.map(
      ({ kind, samples }): ApplicationSchema => ({
        ...kind,
        series: samples.map(({ series: { suffix, labels } }) => [`${kind.name}${suffix}`, Object.fromEntries(labels)]),
      }),
    );
    return {
      schema: JSON.stringify(schema),
      values: part.flatMap(({ samples }) => samples.map(({ value }) => value)),
    };
  });
}
