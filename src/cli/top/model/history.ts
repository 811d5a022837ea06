/**
 * What the workers do now, out of totals since they began: rates between one status and the next, by the supervisor's clock, and
 * the last of them for the bars. Pure.
 */
import { percentile } from '../../../latency.js';
import type { WorkerFigures } from '../../../protocol/measured.js';
import type { SupervisorStatus, WorkerStatus } from '../../../protocol/status.js';

/** Figures of a moment; null for what is not known. */
export interface Pace {
  readonly requestsPerS: number | null;
  /** Answers of 500 and above. */
  readonly errorsPerS: number | null;
  /** Of the last ten seconds; null where nothing was answered. */
  readonly p99Ms: number | null;
}

/** One value a status, the newest last. */
export interface Track extends Pace {
  readonly requests: readonly (number | null)[];
  readonly cpu: readonly (number | null)[];
  readonly delays: readonly (number | null)[];
  readonly totals: readonly Totals[];
}

interface Totals {
  readonly atMs: number;
  readonly requests: number;
  readonly figures: WorkerFigures | null;
}

export interface History {
  readonly status: SupervisorStatus | null;
  /** By the worker's id. */
  readonly tracks: ReadonlyMap<number, Track>;
  /** Of all workers. */
  readonly all: Pace & { readonly requests: readonly (number | null)[] };
}

const KEPT = 120;
/** A hundredth of the answers of one second may be none. */
const WINDOW_MS = 10_000;
const TAIL = 0.99;

const NO_PACE: Pace = { requestsPerS: null, errorsPerS: null, p99Ms: null };
export const NO_TRACK: Track = { ...NO_PACE, requests: [], cpu: [], delays: [], totals: [] };
export const NO_HISTORY: History = { status: null, tracks: new Map(), all: { ...NO_PACE, requests: [] } };

/** A status that is known already changes nothing. */
export function observe(history: History, status: SupervisorStatus): History {
  const { status: before } = history;
  const isSame = before !== null && before.pid === status.pid;
  if (isSame && before.uptimeMs === status.uptimeMs) return history;
  // Another supervisor, or one that began anew: what was before says nothing of it.
  const old = isSame && before.uptimeMs < status.uptimeMs ? history : NO_HISTORY;
  const tracks = new Map(
    status.workers.map((worker) => [
      worker.id,
      tracked(old.tracks.get(worker.id) ?? NO_TRACK, worker, status.uptimeMs),
    ]),
  );
  const paces = [...tracks.values()];
  const requestsPerS = sumOf(paces.map((pace) => pace.requestsPerS));
  return {
    status,
    tracks,
    all: {
      requestsPerS,
      errorsPerS: sumOf(paces.map((pace) => pace.errorsPerS)),
      p99Ms: tail(paces.map(({ totals }) => answeredIn(totals))),
      requests: appended(old.all.requests, requestsPerS),
    },
  };
}

function tracked(track: Track, worker: WorkerStatus, atMs: number): Track {
  const { requests, figures = null, cpuPercent, eventLoopDelayMs } = worker;
  const last = track.totals.at(-1);
  const totals =
    requests === null
      ? track.totals
      : [...track.totals.filter((one) => atMs - one.atMs <= WINDOW_MS), { atMs, requests, figures }];
  // Who did not answer has done what it did all the same: its rate is told when it answers again.
  const rate = (now: number | undefined, then: number | undefined) =>
    last === undefined || now === undefined || then === undefined || now < then
      ? null
      : ((now - then) * 1000) / (atMs - last.atMs);
  const requestsPerS = rate(requests ?? undefined, last?.requests);
  return {
    requestsPerS,
    errorsPerS: rate(figures?.serverErrors, last?.figures?.serverErrors),
    p99Ms: tail([answeredIn(totals)]),
    requests: appended(track.requests, requestsPerS),
    cpu: appended(track.cpu, cpuPercent),
    delays: appended(track.delays, eventLoopDelayMs),
    totals,
  };
}

/** How many answers took how long, in the time that is kept. */
function answeredIn(totals: readonly Totals[]): readonly number[] {
  const known = totals.flatMap(({ figures }) => (figures === null ? [] : [figures.latency]));
  const [first, last] = [known[0] ?? [], known.at(-1) ?? []];
  return last.map((count, at) => Math.max(0, count - (first[at] ?? 0)));
}

function tail(latencies: readonly (readonly number[])[]): number | null {
  const length = Math.max(0, ...latencies.map((latency) => latency.length));
  const together = Array.from({ length }, (_none, at) =>
    latencies.reduce((sum, latency) => sum + (latency[at] ?? 0), 0),
  );
  return together.some((count) => count > 0) ? percentile(together, TAIL) : null;
}

function appended(values: readonly (number | null)[], value: number | null): readonly (number | null)[] {
  return [...values.slice(1 - KEPT), value];
}

function sumOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0);
}
