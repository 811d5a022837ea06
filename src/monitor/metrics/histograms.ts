/** Histograms in the classic format: buckets that each have all that is below their bound. Pure. */
import type { Labels, Sample } from '../formats/family.js';

export interface Part {
  readonly bounds: readonly number[];
  /** As many as there are bounds, each without those before it. */
  readonly counts: ArrayLike<number>;
  readonly count: number;
  readonly sum: number;
}

/** @param labelsOf a bucket, and of what has none: which of them it is, or null, and its number */
export function histogramOf(
  { bounds, counts, count, sum }: Part,
  labels: (le: string | null, number: number) => Labels,
): Sample[] {
  let below = 0;
  const samples: Sample[] = [];
  for (let i = 0; i < bounds.length; i++) {
    below += counts[i] ?? 0;
    samples.push({ suffix: '_bucket', labels: labels(String(bounds[i]), i), value: below });
  }
  const own = labels(null, bounds.length + 1);
  samples.push({ suffix: '_bucket', labels: labels('+Inf', bounds.length), value: count });
  samples.push({ suffix: '_sum', labels: own, value: sum }, { suffix: '_count', labels: own, value: count });
  return samples;
}

export function tallied(seconds: readonly number[], bounds: readonly number[]): Part {
  const within = (one: number) => bounds.findIndex((bound) => one <= bound);
  const counts = bounds.map((_bound, i) => seconds.filter((one) => within(one) === i).length);
  return { bounds, counts, count: seconds.length, sum: seconds.reduce((all, one) => all + one, 0) };
}
