/**
 * The application's own metrics, as prom-client keeps them: of its default registries, found among the modules that are loaded,
 * and of those that it has named. What is sent of them is their description, when it has changed, and otherwise numbers alone.
 */
import type { ApplicationSchema } from '../protocol/measured.js';

/** More of a worker are left out, and counted: labels may be made of anything. */
const MOST_SERIES = 2_000;
const MOST_CHARACTERS = 512 * 1024;
const LONGEST = 1_024;
const LIBRARY = /[\\/]node_modules[\\/]prom-client[\\/]index\.js$/;

interface Sample {
  readonly value: number;
  readonly metricName?: string;
  readonly labels?: Readonly<Record<string, unknown>>;
}
interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly aggregator?: string;
  readonly values?: readonly Sample[];
}
interface Registry {
  getMetricsAsJSON(): Promise<readonly Metric[]> | readonly Metric[];
}

export interface Read {
  /** Goes up with each change of the description; 0 where nothing was read. */
  readonly version: number;
  readonly families: readonly ApplicationSchema[];
  readonly values: readonly number[];
  readonly left: number;
  readonly failure: string | null;
}

interface Found {
  readonly families: readonly ApplicationSchema[];
  readonly values: readonly number[];
  readonly left: number;
}

export function isRegistry(value: unknown): value is Registry {
  return typeof (value as Partial<Registry> | null)?.getMetricsAsJSON === 'function';
}

/** Each copy of the library that is loaded has one. */
function* defaultRegistries(): Generator<unknown> {
  for (const file of Object.keys(require.cache)) {
    if (!LIBRARY.test(file)) continue;
    const { exports } = require.cache[file] as { exports?: { register?: unknown } };
    yield exports?.register;
  }
}

export class Registries {
  readonly #named: () => Iterable<unknown>;
  /** As it was read last. */
  #families: readonly ApplicationSchema[] = [];
  #version = 0;

  /** @param named those that the application has named, beside its default ones */
  constructor(named: () => Iterable<unknown>) {
    this.#named = named;
  }

  /** Never rejects: one that fails costs its own metrics. */
  async read(): Promise<Read> {
    const all = new Set([...defaultRegistries(), ...this.#named()].filter(isRegistry));
    const asked = await Promise.allSettled(
      [...all].map(async (registry) => checked(await registry.getMetricsAsJSON())),
    );
    let failure: string | null = null;
    const metrics: Metric[] = [];
    for (const answer of asked) {
      if (answer.status === 'fulfilled') metrics.push(...answer.value);
      else failure = String((answer.reason as Error | undefined)?.message ?? answer.reason).slice(0, LONGEST);
    }
    const known = this.#version === 0 ? null : valuesOf(metrics, this.#families);
    if (known !== null) return { version: this.#version, families: this.#families, values: known, left: 0, failure };
    const found = describe(metrics);
    if (this.#version === 0 || JSON.stringify(found.families) !== JSON.stringify(this.#families)) {
      this.#families = found.families;
      this.#version += 1;
    }
    return { version: this.#version, ...found, failure };
  }
}

/** What calls itself a registry may be anything. @throws where it tells no metrics: that costs its own ones */
function checked(metrics: readonly Metric[]): readonly Metric[] {
  for (const { name, help, values = [] } of metrics) {
    if (typeof name !== 'string' || typeof help !== 'string') throw new TypeError('a metric has no name or no help');
    for (const { labels } of values) for (const label in labels) String(labels[label]);
  }
  return metrics;
}

/**
 * Mostly nothing but values has changed: looked at in place, as it is done in each worker at the same time.
 *
 * @returns null for what is described otherwise
 */
function valuesOf(metrics: readonly Metric[], families: readonly ApplicationSchema[]): number[] | null {
  if (metrics.length !== families.length) return null;
  const found: number[] = [];
  for (let i = 0; i < metrics.length; i++) {
    const { name, help, type, aggregator = 'sum', values = [] } = metrics[i] as Metric;
    const known = families[i] as ApplicationSchema;
    if (name !== known.name || type !== known.type || aggregator !== known.aggregator) return null;
    if (help.slice(0, LONGEST) !== known.help || values.length !== known.series.length) return null;
    for (let at = 0; at < values.length; at++) {
      const { value, metricName = name, labels } = values[at] as Sample;
      const [knownName, knownLabels] = known.series[at] as ApplicationSchema['series'][number];
      if (metricName !== knownName || !areSame(labels, knownLabels)) return null;
      found.push(value);
    }
  }
  return found;
}

function areSame(labels: Sample['labels'] = {}, known: Readonly<Record<string, string>>): boolean {
  let more = 0;
  for (const label in labels) {
    const text = labels[label];
    if (known[label] !== (typeof text === 'string' ? text : String(text))) return false;
    more += 1;
  }
  for (const _label in known) more -= 1;
  return more === 0;
}

function describe(metrics: readonly Metric[]): Found {
  const families: ApplicationSchema[] = [];
  const values: number[] = [];
  const names = new Set<string>();
  let left = 0;
  let characters = 0;
  for (const { name, help, type, aggregator = 'sum', values: samples = [] } of metrics) {
    // Of two registries the first one's counts, as where they are merged.
    if (names.has(name)) {
      left += samples.length;
      continue;
    }
    names.add(name);
    const series: [string, Record<string, string>][] = [];
    characters += name.length + help.length;
    for (const { value, metricName = name, labels = {} } of samples) {
      const own = Object.entries(labels).map(([label, text]): [string, string] => [label, String(text)]);
      const length = own.reduce((sum, [label, text]) => sum + label.length + text.length + 8, metricName.length + 8);
      if (values.length >= MOST_SERIES || length > LONGEST || characters + length > MOST_CHARACTERS) {
        left += 1;
        continue;
      }
      characters += length;
      series.push([metricName, Object.fromEntries(own)]);
      values.push(value);
    }
    families.push({ name, help: help.slice(0, LONGEST), type, aggregator, series });
  }
  return { families, values, left };
}
