/**
 * The clock by which everything in holdfast is measured: monotonic, in milliseconds, its zero when this process began. A
 * type of its own, so that the time of day (which jumps, and has another zero) is never taken for it.
 */
declare const monotonic: unique symbol;

export type MonotonicMs = number & { readonly [monotonic]: true };

export function monotonicNow(): MonotonicMs {
  return performance.now() as MonotonicMs;
}

export function after(time: MonotonicMs, ms: number): MonotonicMs {
  return (time + ms) as MonotonicMs;
}
