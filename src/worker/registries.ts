/**
 * The application's own metrics, as prom-client keeps them: of its default registries, found among the modules that are loaded,
 * and of those that it has named. What is sent of them is their description, when it has changed, and otherwise numbers alone.
 */
import type { ApplicationSchema } from '../protocol.js';

/** More of a worker are left out, and counted: labels may be made of anything. */
const MOST_SERIES = 2_000;
const MOST_CHARACTERS = 512 * 1024;
const LONGEST = 1_024;
const LIBRARY = /[\\/]node_modules[\\/]prom-client[\\/]index\.js$/;

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly aggregator?: string;
  readonly values?: readonly {
    readonly value: number;
    readonly metricName?: string;
    readonly labels?: Readonly<Record<string, unknown>>;
  }[];
}
interface Registry {
  getMetricsAsJSON(): Promise<readonly Metric[]> | readonly Metric[];
}

export interface Read {
  readonly schema: string;
  readonly values: readonly number[];
  readonly left: number;
  readonly failure: string | null;
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

/** Never rejects: one that fails costs its own metrics. */
export async function readRegistries(named: Iterable<unknown>): Promise<Read> {
  const all = new Set([...defaultRegistries(), ...named].filter(isRegistry));
  const families: ApplicationSchema[] = [];
  const values: number[] = [];
  const names = new Set<string>();
  let failure: string | null = null;
  let left = 0;
  let characters = 0;
  const asked = [...all].map(async (registry) => registry.getMetricsAsJSON());
  for (const answer of await Promise.allSettled(asked)) {
    if (answer.status === 'rejected') {
      failure = String((answer.reason as Error | undefined)?.message ?? answer.reason).slice(0, LONGEST);
      continue;
    }
    for (const { name, help, type, aggregator = 'sum', values: samples = [] } of answer.value) {
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
  }
  return { schema: JSON.stringify(families), values, left, failure };
}
