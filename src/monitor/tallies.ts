/**
 * What workers have counted, by slot: it never goes back. What a worker had last is kept when it ends, and the next one counts
 * on from there. Pure; as numbers in a row, since there may be 256 slots, and a row for each second of an hour.
 */
import type { GcKind, Measured } from '../protocol/measured.js';

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

/** Of what is written down: another one means something else. */
const FORMAT = 1;
/** Of workers and of slots: there are 256, and two of each at most. */
const MOST = 1_024;

export interface TalliesData {
  readonly format: typeof FORMAT;
  readonly live: readonly (readonly [worker: number, slot: number, row: readonly number[]])[];
  readonly kept: readonly (readonly [slot: number, row: readonly number[]])[];
}

export function newRow(): Row {
  return new Float64Array(LENGTH);
}

/**
 * To a 1,024th: then a sum is the same in whatever order it is made. Without it a counter could go back by the last digit when a
 * worker ends, which Prometheus takes for a reset, and counts all of it anew.
 */
function exact(value: number): number {
  return Math.round(value * 1024) / 1024;
}

export function rowOf(measured: Measured): Row {
  const row = newRow();
  const put = (at: number, values: readonly number[], most: number) => {
    // Each second of each worker: iterators would take ten times as long.
    for (let i = 0; i < values.length && i < most; i++) row[at + i] = values[i] ?? 0;
  };
  put(AT.statuses, measured.statuses, STATUSES);
  put(AT.latency, measured.latency, BUCKETS);
  const { http1, http2, other } = measured.accepted;
  const { receivedBytes, sentBytes, cpuUserMs, cpuSystemMs, loopActiveMs, loopIdleMs } = measured;
  const single = [http1, http2, other, receivedBytes, sentBytes, cpuUserMs, cpuSystemMs, loopActiveMs, loopIdleMs];
  row[AT.requests] = measured.requests;
  put(AT.tookMs, [measured.tookMs, ...single].map(exact), 1 + single.length);
  for (const { kind, count, ms, buckets } of measured.gc) {
    put(AT.gc + GC_KINDS.indexOf(kind) * GC_FIELDS, [count, exact(ms), ...buckets], GC_FIELDS);
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
  /** Of slots of which nothing new has been told since somebody asked. */
  readonly #bySlot = new Map<number, Row>();
  readonly #total = newRow();

  /** As plain data, for the supervisor that takes over. */
  toJSON(): TalliesData {
    return {
      format: FORMAT,
      live: [...this.#live].slice(-MOST).map(([worker, { slot, row }]) => [worker, slot, [...row]]),
      kept: [...this.#kept].slice(0, MOST).map(([slot, row]) => [slot, [...row]]),
    };
  }

  /**
   * What is of another format, or cannot be understood, is as if it were not there. A worker that did not come along has to be
   * told as gone.
   */
  static fromJSON(data: unknown): Tallies {
    const tallies = new Tallies();
    const { format, live, kept } = (data ?? {}) as Partial<Record<keyof TalliesData, unknown>>;
    if (format !== FORMAT || !Array.isArray(live) || !Array.isArray(kept)) return tallies;
    for (const entry of live.slice(0, MOST)) {
      const [worker, slot, row] = entriesOf(entry);
      const known = readRow(row);
      if (isIndex(worker) && isIndex(slot) && known !== null) tallies.heard(worker, slot, known);
    }
    for (const entry of kept.slice(0, MOST)) {
      const [slot, row] = entriesOf(entry);
      const known = readRow(row);
      if (!isIndex(slot) || known === null || tallies.#kept.has(slot)) continue;
      tallies.#kept.set(slot, known);
      addTo(tallies.#total, known);
    }
    return tallies;
  }

  /** Answers may overtake each other; and what is forged is at least no step back. */
  heard(worker: number, slot: number, row: Row): void {
    const known = this.#live.get(worker);
    if (known === undefined) {
      this.#live.set(worker, { slot, row: row.slice() });
      this.#bySlot.delete(slot);
      addTo(this.#total, row);
      return;
    }
    this.#bySlot.delete(known.slot);
    for (let i = 0; i < row.length; i++) {
      const before = known.row[i] ?? 0;
      const more = Math.max(0, (row[i] ?? 0) - before);
      known.row[i] = before + more;
      // As exact as a sum of all: they are multiples of a 1,024th.
      this.#total[i] = (this.#total[i] ?? 0) + more;
    }
  }

  /** Of workers that did not come along. */
  retain(isThere: (worker: number) => boolean): void {
    for (const worker of [...this.#live.keys()]) if (!isThere(worker)) this.gone(worker);
  }

  gone(worker: number): void {
    const ended = this.#live.get(worker);
    if (ended === undefined) return;
    this.#live.delete(worker);
    // The sum of the slot stays as it is, and so does its row.
    const kept = this.#kept.get(ended.slot);
    if (kept === undefined) this.#kept.set(ended.slot, ended.row);
    else addTo(kept, ended.row);
  }

  /** Of all that there ever were. */
  total(): Row {
    return this.#total.slice();
  }

  /** By slot, in their order. A row is the same array as before where nothing new has been told of the slot; not to be changed. */
  bySlot(): ReadonlyMap<number, Row> {
    const fresh = new Map<number, Row>();
    const of = (slot: number) => {
      const row = fresh.get(slot) ?? newRow();
      fresh.set(slot, row);
      return row;
    };
    for (const [slot, row] of this.#kept) if (!this.#bySlot.has(slot)) addTo(of(slot), row);
    for (const { slot, row } of this.#live.values()) if (!this.#bySlot.has(slot)) addTo(of(slot), row);
    for (const [slot, row] of fresh) this.#bySlot.set(slot, row);
    return new Map([...this.#bySlot].sort(([a], [b]) => a - b));
  }
}

function entriesOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isIndex(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function readRow(value: unknown): Row | null {
  const isRow = Array.isArray(value) && value.length === LENGTH;
  return isRow && value.every((one) => Number.isFinite(one) && one >= 0) ? Float64Array.from(value) : null;
}
