/** When a worker is to be replaced though nothing is broken yet: a pure function of what is known of it. */
import type { LimitName } from '../state/types.js';

/** null: without a limit. */
export interface Limits {
  readonly maxMemoryBytes: number | null;
  readonly maxRequests: number | null;
  readonly maxAgeMs: number | null;
  readonly maxEventLoopDelayMs: number | null;
}

/** null: not known. */
export interface Sample {
  /** Since it became ready. */
  readonly ageMs: number;
  readonly rssBytes: number | null;
  readonly requests: number | null;
  readonly eventLoopDelayMs: number | null;
}

/** Samples in a row that were above the limit. */
export interface Streaks {
  readonly memory: number;
  readonly delay: number;
}

export const NO_STREAKS: Streaks = { memory: 0, delay: 0 };
/** One sample says little: memory rises before it is collected, and a loop is late now and then. */
const SAMPLES = 3;
/** Limits are lowered by up to this share, or workers that began together would all go together. */
const JITTER = 0.1;

export function hasLimits({ maxMemoryBytes, maxRequests, maxAgeMs, maxEventLoopDelayMs }: Limits): boolean {
  return [maxMemoryBytes, maxRequests, maxAgeMs, maxEventLoopDelayMs].some((limit) => limit !== null);
}

/**
 * @param chance 0 (inclusive) to 1 (exclusive): the same for all samples of a worker
 * @returns the streaks to bring along to the next sample, and the limit for which the worker is to be replaced, or null
 */
export function judgeSample(
  limits: Limits,
  sample: Sample,
  { before, chance }: { readonly before: Streaks; readonly chance: number },
): {
  readonly streaks: Streaks;
  readonly exceeded: { readonly limit: LimitName; readonly reason: string } | null;
} {
  const exceeds = (value: number | null, limit: number | null) =>
    value !== null && limit !== null && value >= limit * (1 - JITTER * chance);
  const memory = exceeds(sample.rssBytes, limits.maxMemoryBytes) ? before.memory + 1 : 0;
  const delay = exceeds(sample.eventLoopDelayMs, limits.maxEventLoopDelayMs) ? before.delay + 1 : 0;
  const found: readonly (readonly [LimitName, boolean, string])[] = [
    ['maxMemory', memory >= SAMPLES, `${megabytes(sample.rssBytes)} of ${megabytes(limits.maxMemoryBytes)}`],
    ['maxRequests', exceeds(sample.requests, limits.maxRequests), `${sample.requests} of ${limits.maxRequests}`],
    ['maxAge', exceeds(sample.ageMs, limits.maxAgeMs), `${seconds(sample.ageMs)} of ${seconds(limits.maxAgeMs)}`],
    [
      'maxEventLoopDelay',
      delay >= SAMPLES,
      `${Math.round(sample.eventLoopDelayMs ?? 0)} ms of ${limits.maxEventLoopDelayMs} ms`,
    ],
  ];
  const [first] = found.filter(([, isExceeded]) => isExceeded);
  const exceeded = first === undefined ? null : { limit: first[0], reason: `${first[0]}: ${first[2]}` };
  return { streaks: { memory, delay }, exceeded };
}

function megabytes(bytes: number | null): string {
  return `${Math.round((bytes ?? 0) / 2 ** 20)} MiB`;
}

function seconds(ms: number | null): string {
  return `${Math.round((ms ?? 0) / 1000)} s`;
}
