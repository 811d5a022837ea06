/**
 * Whether a canary is worse than the others: compares what both have answered in the same time. Pure.
 *
 * It is looked at once a second, and each look could be wrong by chance: so a difference has to be far beyond chance (3.5
 * standard errors), besides being larger than the owner allows.
 */
import { percentile, upperBound } from '../../latency.js';
import type { WorkerFigures } from '../../protocol/measured.js';
import type { CanaryFigures } from '../../protocol/status.js';

export interface CanaryLimits {
  /** A canary that has answered fewer is not called good. */
  readonly minRequests: number;
  /** How much larger its share of 5xx answers may be: 0.01 is one in a hundred. */
  readonly maxErrorRate: number;
  /** How many times as slow it may be, at the 99th percentile. */
  readonly maxLatencyRatio: number;
  /** Differences of latency below this do not count. */
  readonly latencyFloorMs: number;
  readonly maxLoopDelayMs: number;
}

/** What one side has done in the time that is compared. */
export interface Side {
  readonly figures: WorkerFigures;
  /** Delays of the event loop, one for each look. */
  readonly loopDelaysMs: readonly number[];
}

export interface Verdict {
  readonly verdict: 'good' | 'worse' | 'undecided';
  /** null for a good one. */
  readonly reason: string | null;
}

const STANDARD_ERRORS = 3.5;
/** With fewer answers nothing is to be seen at all. */
const FEWEST = 10;
/** A percentile needs so many. */
const FEWEST_FOR_LATENCY = 100;
const FEWEST_LOOKS = 5;
const TAIL = 0.01;

export const NO_FIGURES: WorkerFigures = { answers: 0, serverErrors: 0, latency: [] };

export function add(a: WorkerFigures, b: WorkerFigures): WorkerFigures {
  return combine(a, b, 1);
}

/** What has come between two readings of one worker. */
export function subtract(later: WorkerFigures, earlier: WorkerFigures): WorkerFigures {
  return combine(later, earlier, -1);
}

function combine(a: WorkerFigures, b: WorkerFigures, sign: 1 | -1): WorkerFigures {
  const length = Math.max(a.latency.length, b.latency.length);
  return {
    answers: a.answers + sign * b.answers,
    serverErrors: a.serverErrors + sign * b.serverErrors,
    latency: Array.from({ length }, (_none, i) => (a.latency[i] ?? 0) + sign * (b.latency[i] ?? 0)),
  };
}

export function compareCanary(canary: Side, baseline: Side, limits: CanaryLimits): Verdict {
  const worse =
    errorsOf(canary, baseline, limits) ?? latencyOf(canary, baseline, limits) ?? delayOf(canary, baseline, limits);
  if (worse !== null) return { verdict: 'worse', reason: worse };
  const { answers } = canary.figures;
  if (answers >= limits.minRequests) return { verdict: 'good', reason: null };
  return { verdict: 'undecided', reason: `it has answered ${answers} requests, and ${limits.minRequests} are needed` };
}

/** As it is shown to people. */
export function figuresOf({ figures, loopDelaysMs }: Side): CanaryFigures {
  const { answers, serverErrors, latency } = figures;
  return {
    answers,
    serverErrors,
    p99Ms: answers === 0 ? null : percentile(latency, 1 - TAIL),
    loopDelayMs: loopDelaysMs.length === 0 ? null : median(loopDelaysMs),
  };
}

function errorsOf({ figures: own }: Side, { figures: old }: Side, { maxErrorRate }: CanaryLimits): string | null {
  if (own.answers < FEWEST) return null;
  const isMore = share(own.serverErrors, own.answers) - share(old.serverErrors, old.answers) > maxErrorRate;
  if (!isMore) return null;
  // With nobody to compare with, it is compared with as many answers that were all well.
  const others = old.answers < FEWEST ? { serverErrors: 0, answers: own.answers } : old;
  if (!isBeyondChance(own.serverErrors, own.answers, others.serverErrors, others.answers)) return null;
  return `${percent(own.serverErrors, own.answers)} of ${own.answers} answers were 5xx, against ${percent(old.serverErrors, old.answers)} of ${old.answers}`;
}

function latencyOf({ figures: own }: Side, { figures: old }: Side, limits: CanaryLimits): string | null {
  if (own.answers < FEWEST_FOR_LATENCY || old.answers < FEWEST_FOR_LATENCY) return null;
  const usual = percentile(old.latency, 1 - TAIL);
  const most = Math.max(usual * limits.maxLatencyRatio, usual + limits.latencyFloorMs);
  const slow = ({ latency }: WorkerFigures) => sum(latency.filter((_count, i) => upperBound(i) > most));
  // Its own percentile lies beyond, and not only by a few answers.
  if (slow(own) <= TAIL * own.answers) return null;
  if (!isBeyondChance(slow(own), own.answers, slow(old), old.answers)) return null;
  const own99 = percentile(own.latency, 1 - TAIL);
  return `the slowest hundredth of its answers took ${milliseconds(own99)} and more, against ${milliseconds(usual)}`;
}

function delayOf(canary: Side, baseline: Side, { maxLoopDelayMs }: CanaryLimits): string | null {
  if (canary.loopDelaysMs.length < FEWEST_LOOKS) return null;
  const [own, old] = [median(canary.loopDelaysMs), median(baseline.loopDelaysMs)];
  if (own <= maxLoopDelayMs || own < 2 * old) return null;
  return `its event loop is late by ${milliseconds(own)}, against ${milliseconds(old)}`;
}

/** Two shares, the pooled one never quite 0, with a correction for counts being whole numbers. */
function isBeyondChance(hits: number, of: number, otherHits: number, ofOthers: number): boolean {
  const pooled = (hits + otherHits + 1) / (of + ofOthers + 2);
  const spread = 1 / of + 1 / ofOthers;
  const standardError = Math.sqrt(pooled * (1 - pooled) * spread);
  return hits / of - otherHits / ofOthers - spread / 2 >= STANDARD_ERRORS * standardError;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

function percent(part: number, whole: number): string {
  return `${(100 * share(part, whole)).toFixed(1)} %`;
}

function milliseconds(ms: number): string {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}
