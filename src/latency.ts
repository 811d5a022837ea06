/** How long answers took, as the workers count it: `latency` of WorkerFigures. Pure. */

/** 2^-13 s. */
const SHORTEST_MS = 1000 / 2 ** 13;
const STEPS = 4;

/** In milliseconds: the upper bound of the bucket that it lies in. 0 where there is nothing. */
export function percentile(latency: readonly number[], share: number): number {
  const total = latency.reduce((sum, count) => sum + count, 0);
  if (total === 0) return 0;
  let seen = 0;
  const bucket = latency.findIndex((count) => {
    seen += count;
    return seen >= share * total;
  });
  return upperBound(bucket);
}

export function upperBound(bucket: number): number {
  return SHORTEST_MS * 2 ** (bucket / STEPS);
}
