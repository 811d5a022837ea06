/**
 * What workers have counted, by slot: it never goes back. What a worker had last is kept when it ends, and the next one counts
 * on from there. Pure; as numbers in a row, since there may be 256 slots, and a row for each second of an hour.
 */
import type { GcKind, Measured } from '../protocol.js';

export const GC_KINDS = ['minor', 'major', 'incremental', 'weakcb'] as const satisfies readonly GcKind[];
const STATUSES = 6;
const BUCKETS = 80;
/** How many, how long in milliseconds, and of which lengths. */
const GC_FIELDS = 6;

/** Where each begins in a row. */
export const AT = {
  requests: 0,
  statuses: 1,
  latency: 1 + STATUSES,
  tookMs: 1 + STATUSES + BUCKETS,
  http1: 2 + STATUSES + BUCKETS,
  http2: 3 + STATUSES + BUCKETS,
  other: 4 + STATUSES + BUCKETS,
  receivedBytes: 5 + STATUSES + BUCKETS,
  sentBytes: 6 + STATUSES + BUCKETS,
  cpuUserMs: 7 + STATUSES + BUCKETS,
  cpuSystemMs: 8 + STATUSES + BUCKETS,
  loopActiveMs: 9 + STATUSES + BUCKETS,
  loopIdleMs: 10 + STATUSES + BUCKETS,
  gc: 11 + STATUSES + BUCKETS,
} as const;
const LENGTH = AT.gc + GC_KINDS.length * GC_FIELDS;

export type Row = Float64Array;

export function newRow(): Row {
  return new Float64Array(LENGTH);
}

export function rowOf(measured: Measured): Row {
  const row = newRow();
  const put = (at: number, values: readonly number[], most: number) => {
    for (const [i, value] of values.slice(0, most).entries()) row[at + i] = value;
  };
  put(AT.statuses, measured.statuses, STATUSES);
  put(AT.latency, measured.latency, BUCKETS);
  const { http1, http2, other } = measured.accepted;
  const { receivedBytes, sentBytes, cpuUserMs, cpuSystemMs, loopActiveMs, loopIdleMs } = measured;
  const single = [http1, http2, other, receivedBytes, sentBytes, cpuUserMs, cpuSystemMs, loopActiveMs, loopIdleMs];
  row[AT.requests] = measured.requests;
  put(AT.tookMs, [measured.tookMs, ...single], 1 + single.length);
  for (const { kind, count, ms, buckets } of measured.gc) {
    put(AT.gc + GC_KINDS.indexOf(kind) * GC_FIELDS, [count, ms, ...buckets], GC_FIELDS);
  }
  return row;
}

export function latencyOf(row: Row): Row {
  return row.subarray(AT.latency, AT.latency + BUCKETS);
}

export function gcOf(row: Row, kind: GcKind): { count: number; ms: number; buckets: Row } {
  const at = AT.gc + GC_KINDS.indexOf(kind) * GC_FIELDS;
  return { count: row[at] ?? 0, ms: row[at + 1] ?? 0, buckets: row.subarray(at + 2, at + GC_FIELDS) };
}

export function addTo(sum: Row, more: Row): void {
  for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + (more[i] ?? 0);
}

export class Tallies {
  readonly #live = new Map<number, { readonly slot: number; readonly row: Row }>();
  /** Of those that have ended, by slot: of all slots that there ever were, a few hundred. */
  readonly #kept = new Map<number, Row>();

  /** Answers may overtake each other; and what is forged is at least no step back. */
  heard(worker: number, slot: number, row: Row): void {
    const known = this.#live.get(worker);
    if (known === undefined) this.#live.set(worker, { slot, row });
    else for (const [i, value] of row.entries()) known.row[i] = Math.max(known.row[i] ?? 0, value);
  }

  gone(worker: number): void {
    const ended = this.#live.get(worker);
    if (ended === undefined) return;
    this.#live.delete(worker);
    const kept = this.#kept.get(ended.slot);
    if (kept === undefined) this.#kept.set(ended.slot, ended.row);
    else addTo(kept, ended.row);
  }

  /** By slot, in their order. */
  bySlot(): Map<number, Row> {
    const found = new Map<number, Row>();
    for (const [slot, row] of this.#kept) found.set(slot, row.slice());
    for (const { slot, row } of this.#live.values()) {
      const sum = found.get(slot);
      if (sum === undefined) found.set(slot, row.slice());
      else addTo(sum, row);
    }
    return new Map([...found].sort(([a], [b]) => a - b));
  }
}
