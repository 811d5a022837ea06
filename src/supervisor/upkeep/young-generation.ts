/**
 * Keeps V8's young generation small. V8 lets it grow with all that has ever survived a collection, to 48 MB, also where that
 * took weeks; Node 20 gives none of it back. A supervisor lives long, and little of what it makes survives.
 */
import { PerformanceObserver } from 'node:perf_hooks';
import v8 from 'node:v8';

/** Two halves: what is new, and where to it is copied. */
const MOST_BYTES = 8 * 1024 * 1024;

let observer: PerformanceObserver | undefined;

/** From now on it grows no more where it has this size. It grows at a collection, so each is the time to look. */
export function boundYoungGeneration(): void {
  if (observer !== undefined) return;
  observer = new PerformanceObserver(look);
  observer.observe({ entryTypes: ['gc'] });
  look();
}

function look(): void {
  const young = v8.getHeapSpaceStatistics().find((space) => space.space_name === 'new_space');
  const grows = young === undefined || young.space_size < MOST_BYTES;
  // Read by V8 whenever it would grow: 2 is its own value.
  v8.setFlagsFromString(`--semi-space-growth-factor=${grows ? 2 : 1}`);
}
