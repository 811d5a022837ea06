/** What a worker counts and measures of itself. */

/** What a worker has answered since it began. */
export interface WorkerFigures {
  readonly answers: number;
  /** Of 500 and above. */
  readonly serverErrors: number;
  /** How many answers took how long: bucket i ends at 2^(i/4 - 13) s. */
  readonly latency: readonly number[];
}

/** By the kind of server that accepts it: what becomes of it is not known yet. */
export interface AcceptedCounts {
  readonly http1: number;
  readonly http2: number;
  readonly other: number;
}

export type GcKind = 'minor' | 'major' | 'incremental' | 'weakcb';

export interface GcTotals {
  readonly kind: GcKind;
  readonly count: number;
  readonly ms: number;
  /** How many took at most 10, 100, 1,000 and 10,000 ms, and more than the bound before. */
  readonly buckets: readonly number[];
}

/** What a worker measures of itself since it began, but for what is said to be of this moment. */
export interface Measured {
  readonly requests: number;
  /** Answers by the first digit of their status. */
  readonly statuses: readonly number[];
  /** As in `WorkerFigures`. */
  readonly latency: readonly number[];
  /** All answers together. */
  readonly tookMs: number;
  readonly accepted: AcceptedCounts;
  /** Now. */
  readonly connections: number;
  /** Of connections with HTTP, up to their last answer. */
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly cpuUserMs: number;
  readonly cpuSystemMs: number;
  /** Memory: now. */
  readonly rssBytes: number;
  readonly heapUsedBytes: number;
  readonly heapLimitBytes: number;
  readonly externalBytes: number;
  readonly loopActiveMs: number;
  readonly loopIdleMs: number;
  /** Since it was asked the time before the last: mean, median, 99th percentile and most; empty where it is not known. */
  readonly loopDelayMs: readonly number[];
  readonly gc: readonly GcTotals[];
  /** Where it was asked for: what is open now, by kind. */
  readonly kinds?: ConnectionCounts;
  readonly application?: ApplicationMetrics;
}

/** What prom-client has counted in a worker: numbers, in the order of their description. */
export interface ApplicationMetrics {
  /** Of the description; 0 for none. */
  readonly version: number;
  /** A list of `ApplicationSchema` as JSON, where it has another version than the one that is known. */
  readonly schema?: string;
  /** null for what is no number in JSON. */
  readonly values: readonly (number | null)[];
  /** Series beyond what a worker may send. */
  readonly left: number;
  readonly failure: string | null;
  /** Processor time that it took to read them; older workers do not tell. */
  readonly costMs?: number;
}

export interface ApplicationSchema {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly aggregator: string;
  readonly series: readonly (readonly [metricName: string, labels: Readonly<Record<string, string>>])[];
}

/** What a connection is, for a drain; `other` is any conversation over TCP that is none of the others. */
export type ConnectionKind = 'http1' | 'http2' | 'websocket' | 'upgraded' | 'other';

export type ConnectionCounts = Readonly<Partial<Record<ConnectionKind, number>>>;

export interface OpenConnection {
  readonly kind: ConnectionKind;
  readonly ageMs: number;
  /** Address and port of the peer; null where Node no longer knows. */
  readonly remote: string | null;
  /** Of the request that is being answered, without its query; null between requests. */
  readonly path: string | null;
}
