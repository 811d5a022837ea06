/**
 * Histograms whose parts have different bounds, as while one release follows another that had other ones: put together so that no
 * bucket has fewer than a lower one. Pure.
 */
import type { Series } from './application-series.js';

/** What a series is made of: each worker, or each group of workers that tell the same, is a part. */
export interface Summed {
  readonly series: Series;
  readonly slot: number;
  readonly values: number[];
  /** Which part each of the values is of. */
  readonly parts: number[];
}

type Entry<T> = readonly [key: string, one: T];

/**
 * Gives each part a value for every bound that another part has: what lies below its own next lower bound, which is the least that
 * it can be. So no bucket has fewer than a lower one, and each grows as its parts do.
 *
 * @param bySlot each slot has histograms of its own
 * @returns all of them, the buckets of a histogram by their bounds
 */
export function fillIn<T extends Summed>(found: ReadonlyMap<string, T>, bySlot: boolean): Iterable<Entry<T>> {
  const histograms = new Map<string, Entry<T>[]>();
  for (const entry of found) {
    const { series, slot } = entry[1];
    // Of those that are not added up there is nothing that would have to grow.
    if (series.histogram === null || !series.grows) continue;
    const of = bySlot ? `${slot} ${series.histogram.of}` : series.histogram.of;
    const others = histograms.get(of);
    if (others === undefined) histograms.set(of, [entry]);
    else others.push(entry);
  }
  const filled: Entry<T>[] = [];
  for (const entries of histograms.values()) {
    // All parts have the bound +Inf, a sum and a count.
    const most = Math.max(...entries.map(([, { parts }]) => parts.length));
    if (entries.every(([, { parts }]) => parts.length === most)) continue;
    entries.sort(([, one], [, other]) => compare(boundOf(one), boundOf(other)));
    fill(entries.map(([, one]) => one).filter(({ series }) => series.histogram?.bound !== null));
    filled.push(...entries);
  }
  if (filled.length === 0) return found;
  const moved = new Set(filled.map(([key]) => key));
  return [...[...found].filter(([key]) => !moved.has(key)), ...filled];
}

/** @param buckets of one histogram, by their bounds */
function fill(buckets: readonly Summed[]): void {
  for (const part of new Set(buckets.flatMap(({ parts }) => parts))) {
    let below = 0;
    for (const { values, parts } of buckets) {
      const at = parts.indexOf(part);
      if (at === -1) {
        values.push(below);
        parts.push(part);
      } else below = values[at] ?? 0;
    }
  }
}

/** What has no bound comes last. */
function boundOf({ series }: Summed): number {
  return series.histogram?.bound ?? Number.POSITIVE_INFINITY;
}

function compare(one: number, other: number): number {
  return one === other ? 0 : one - other;
}
