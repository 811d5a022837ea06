/**
 * What there is of each slot as metrics: most of what a scrape consists of. Kept of each slot until something new is known of
 * it, as of many workers only some are asked in each second. Pure.
 */
import type { ConnectionKind, Measured } from '../../protocol/measured.js';
import type { Part, Sample } from '../formats/family.js';
import { AT, GC_KINDS, gcOf, type Row } from '../tallies.js';
import type { MetricName } from './catalog.js';
import { histogramOf } from './histograms.js';
import type { KnownLabels, Plain } from './known-labels.js';

export const KINDS = ['http1', 'http2', 'websocket', 'upgraded', 'other'] as const satisfies readonly ConnectionKind[];
/** By the first digit of a status: answers of 1xx are none yet. */
const CLASSES = [null, null, '2xx', '3xx', '4xx', '5xx'] as const;
const GC_BOUNDS_S = [0.01, 0.1, 1, 10];

/** Of a slot's worker, as of now. */
export interface Present {
  readonly slot: number;
  readonly measured: Measured;
  /** The last seconds: of each the mean, the median, the 99th percentile and the most, in milliseconds. */
  readonly delays: readonly (readonly number[])[];
  /** Share of the last seconds in which the event loop was active; null where it is not known. */
  readonly utilization: number | null;
}

/** What is known of a slot, whose workers are two while one follows the other. */
export interface SlotFigures {
  readonly slot: number;
  /** What all its workers have counted, in the same array as before if that is nothing new; null where they have told nothing yet. */
  readonly row: Row | null;
  /** The newest; null where it has no worker. */
  readonly generation: number | null;
  /** Those that have answered. */
  readonly present: readonly Present[];
}

interface SlotMetric {
  readonly name: MetricName;
  samplesOf(figures: SlotFigures, known: KnownLabels): Part;
}

/** Each with labels of its own, and in what it is counted. */
type Column = readonly [at: number, labels?: Plain, factor?: number];

function counted(name: MetricName, ...columns: readonly Column[]): SlotMetric {
  return {
    name,
    samplesOf: ({ slot, row }, known) =>
      row === null
        ? []
        : columns.map(([at, labels = {}, factor = 1], part) => ({
            suffix: '',
            labels: known.of(name, part, slot, labels),
            value: (row[at] ?? 0) * factor,
          })),
  };
}

type Value = readonly [value: (one: Present) => number | null, labels?: Plain];

function gauges(
  name: MetricName,
  together: (one: number, other: number) => number,
  ...values: readonly Value[]
): SlotMetric {
  return {
    name,
    samplesOf: ({ slot, present }, known) =>
      values.flatMap(([amount, labels = {}], part): Sample[] => {
        const all = present.flatMap((one) => amount(one) ?? []);
        if (all.length === 0) return [];
        return [{ suffix: '', labels: known.of(name, part, slot, labels), value: all.reduce(together) }];
      }),
  };
}

const add = (one: number, other: number): number => one + other;
const larger = (one: number, other: number): number => Math.max(one, other);
const mean = (values: readonly number[]) => values.reduce(add, 0) / values.length;
const most = (values: readonly number[]) => Math.max(...values);

/** @param at which figure of a second's delays */
function delay(at: number, of: (values: readonly number[]) => number): Value {
  return [({ delays }) => (delays.length === 0 ? null : of(delays.map((second) => second[at] ?? 0)) / 1000)];
}

const GENERATION: SlotMetric = {
  name: 'holdfast_worker_generation',
  samplesOf: ({ slot, generation }, known) =>
    generation === null ? [] : [{ suffix: '', labels: known.of(GENERATION.name, 0, slot, {}), value: generation }],
};

/** Of kinds that there were. */
const GC: SlotMetric = {
  name: 'holdfast_worker_gc_seconds',
  samplesOf: ({ slot, row }, known) =>
    GC_KINDS.flatMap((kind, k) => {
      const { count, ms, buckets } = row === null ? NO_GC : gcOf(row, kind);
      if (count === 0) return [];
      const first = k * (GC_BOUNDS_S.length + 2);
      return histogramOf({ bounds: GC_BOUNDS_S, counts: buckets, count, sum: ms / 1000 }, (le, number) =>
        known.of(GC.name, first + number, slot, le === null ? { kind } : { kind, le }),
      );
    }),
};
const NO_GC = { count: 0, ms: 0, buckets: [] };

const METRICS: readonly SlotMetric[] = [
  counted('holdfast_worker_requests_total', [AT.requests]),
  counted(
    'holdfast_worker_responses_total',
    ...CLASSES.flatMap((name, i): Column[] => (name === null ? [] : [[AT.statuses + i, { class: name }]])),
  ),
  counted('holdfast_worker_received_bytes_total', [AT.receivedBytes]),
  counted('holdfast_worker_sent_bytes_total', [AT.sentBytes]),
  counted(
    'holdfast_worker_accepted_connections_total',
    ...(['http1', 'http2', 'other'] as const).map((kind): Column => [AT[kind], { kind }]),
  ),
  counted(
    'holdfast_worker_cpu_seconds_total',
    [AT.cpuUserMs, { mode: 'user' }, 1e-3],
    [AT.cpuSystemMs, { mode: 'system' }, 1e-3],
  ),
  counted(
    'holdfast_worker_event_loop_seconds_total',
    [AT.loopActiveMs, { state: 'active' }, 1e-3],
    [AT.loopIdleMs, { state: 'idle' }, 1e-3],
  ),
  GENERATION,
  gauges('holdfast_worker_connections', add, [({ measured }) => measured.connections]),
  gauges(
    'holdfast_worker_open_connections',
    add,
    ...KINDS.map((kind): Value => [({ measured }) => measured.kinds?.[kind] ?? 0, { kind }]),
  ),
  gauges('holdfast_worker_resident_memory_bytes', add, [({ measured }) => measured.rssBytes]),
  gauges('holdfast_worker_heap_used_bytes', add, [({ measured }) => measured.heapUsedBytes]),
  // Of both where one follows the other, as what they use is: a share of the limit stays a share of it.
  gauges('holdfast_worker_heap_limit_bytes', add, [({ measured }) => measured.heapLimitBytes]),
  gauges('holdfast_worker_external_memory_bytes', add, [({ measured }) => measured.externalBytes]),
  gauges('holdfast_worker_event_loop_utilization', larger, [({ utilization }) => utilization]),
  gauges('holdfast_worker_event_loop_delay_mean_seconds', larger, delay(0, mean)),
  gauges('holdfast_worker_event_loop_delay_p50_seconds', larger, delay(1, mean)),
  gauges('holdfast_worker_event_loop_delay_p99_seconds', larger, delay(2, most)),
  gauges('holdfast_worker_event_loop_delay_max_seconds', larger, delay(3, most)),
  GC,
];

export class SlotMetrics {
  readonly #labels: KnownLabels;
  readonly #known = new Map<number, { readonly figures: SlotFigures; readonly parts: readonly Part[] }>();

  constructor(labels: KnownLabels) {
    this.#labels = labels;
  }

  /** Those metrics that some slot has, in the slots' order. */
  of(slots: readonly SlotFigures[]): { readonly name: MetricName; readonly parts: readonly Part[] }[] {
    const ofSlots = slots.map((figures) => this.#of(figures));
    return METRICS.flatMap(({ name }, i) => {
      const parts: Part[] = [];
      for (const slot of ofSlots) {
        const part = slot[i];
        if (part !== undefined && part.length > 0) parts.push(part);
      }
      return parts.length === 0 ? [] : [{ name, parts }];
    });
  }

  #of(figures: SlotFigures): readonly Part[] {
    const known = this.#known.get(figures.slot);
    if (known !== undefined && areSame(known.figures, figures)) return known.parts;
    const parts = METRICS.map((metric) => metric.samplesOf(figures, this.#labels));
    this.#known.set(figures.slot, { figures, parts });
    return parts;
  }
}

function areSame(one: SlotFigures, other: SlotFigures): boolean {
  if (one.row !== other.row || one.generation !== other.generation) return false;
  if (one.present.length !== other.present.length) return false;
  return one.present.every(({ measured, delays, utilization }, i) => {
    const same = other.present[i];
    return measured === same?.measured && delays === same.delays && utilization === same.utilization;
  });
}
