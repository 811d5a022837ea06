/** Medians, percentiles and the like, and how tables show them. */

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Percentiles of what several samples found together. @param shares 0 to 1; 1 is the largest. */
export function percentiles(values, shares) {
  const sorted = [...values].sort((a, b) => a - b);
  return shares.map((share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]);
}

/**
 * How even a number of connections was spread.
 *
 * @param counts connections by PID; who got none is missing from it, and counts all the same
 * @returns the largest and the smallest count, the largest in terms of the mean, and the coefficient of variation
 */
export function evenness(counts, workers) {
  const all = Object.values(counts);
  while (all.length < workers) all.push(0);
  const mean = all.reduce((sum, count) => sum + count, 0) / all.length;
  const variance = all.reduce((sum, count) => sum + (count - mean) ** 2, 0) / all.length;
  const max = Math.max(...all);
  return { max, min: Math.min(...all), maxToMean: max / mean, variation: Math.sqrt(variance) / mean };
}

/** @param records objects of counts. @returns one with the sums */
export function sumOf(records) {
  const sum = {};
  for (const record of records) {
    for (const [key, count] of Object.entries(record)) sum[key] = (sum[key] ?? 0) + count;
  }
  return sum;
}

/** Every kind of error that occurred, with its number; `0` where there was none. */
export function errorText(errors) {
  const kinds = Object.entries(errors).filter(([, count]) => count > 0);
  return kinds.length === 0 ? '0' : kinds.map(([kind, count]) => `${count} ${kind}`).join(', ');
}

/** Latencies in ms, as `1.0 / 5.6 / 12.6`, and the errors beside them. */
export function latencyText(samples, shares) {
  const latencies = samples.flatMap((sample) => sample.latencies);
  const errors = errorText(sumOf(samples.map((sample) => sample.errors)));
  const figures = percentiles(latencies, shares)
    .map((value) => value?.toFixed(1) ?? '–')
    .join(' / ');
  return errors === '0' ? figures : `${figures} (${errors})`;
}
