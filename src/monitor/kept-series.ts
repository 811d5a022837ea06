/** What workers of a slot had counted that have ended. Pure. */
import type { Series } from './application-series.js';
import { fillIn, type Summed } from './buckets.js';

/** By the keys of the series. */
export type Kept = Map<string, { readonly series: Series; readonly value: number }>;

/**
 * Adds what a worker had last.
 *
 * @param room for so many series that were not kept before
 * @returns how many have come to be kept, and for how many there was no room
 */
export function keep(
  kept: Kept,
  all: readonly Series[],
  values: readonly (number | null)[],
  room: number,
): { readonly added: number; readonly left: number } {
  if (addAlike(kept, all, values)) return { added: 0, left: 0 };
  const found = new Map<string, Summed>();
  for (const [key, { series, value }] of kept) found.set(key, { series, slot: 0, values: [value], parts: [0] });
  for (const [i, series] of all.entries()) {
    const value = values[i];
    if (!series.grows || typeof value !== 'number') continue;
    const same = found.get(series.key);
    if (same === undefined) found.set(series.key, { series, slot: 0, values: [value], parts: [1] });
    else {
      same.values.push(value);
      same.parts.push(1);
    }
  }
  let [added, left] = [0, 0];
  const before = new Set(kept.keys());
  // In the order in which they are to be told.
  kept.clear();
  for (const [key, { series, values }] of fillIn(found, false)) {
    const isNew = !before.has(key);
    if (isNew && added >= room) {
      left += 1;
      continue;
    }
    if (isNew) added += 1;
    kept.set(key, { series, value: values.reduce((sum, one) => sum + one, 0) });
  }
  return { added, left };
}

/** Most have what those before had: that is ten times as quick. @returns false where something is otherwise, and nothing was added */
function addAlike(kept: Kept, all: readonly Series[], values: readonly (number | null)[]): boolean {
  const sums: (readonly [key: string, series: Series, value: number])[] = [];
  for (const [i, series] of all.entries()) {
    const value = values[i];
    if (!series.grows || typeof value !== 'number') continue;
    const before = kept.get(series.key);
    if (before === undefined) return false;
    sums.push([series.key, before.series, before.value + value]);
  }
  if (sums.length !== kept.size) return false;
  for (const [key, series, value] of sums) kept.set(key, { series, value });
  return true;
}
