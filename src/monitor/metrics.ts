/**
 * What is known of the application and its workers as metrics. Asked for when somebody scrapes. Pure: it makes families of what
 * it is given, each of which the catalogue knows.
 */
import { upperBound } from '../latency.js';
import type { ConnectionKind, Measured } from '../protocol/measured.js';
import type { SupervisorStatus, WorkerState } from '../protocol/status.js';
import { CATALOG, type Entry, type MetricName } from './catalog.js';
import type { Family, NativeHistogram, Sample } from './formats/family.js';
import { histogramOf, tallied } from './histograms.js';
import { type KnownLabels, labelsOf, type Plain } from './known-labels.js';
import { AT, addTo, GC_KINDS, gcOf, latencyOf, newRow, type Row } from './tallies.js';

/** In the order of a worker's life, all of them told, also those that nobody is in. */
const STATES = ['starting', 'ready', 'draining', 'terminating', 'killing'] as const satisfies readonly WorkerState[];
const KINDS = ['http1', 'http2', 'websocket', 'upgraded', 'other'] as const satisfies readonly ConnectionKind[];
/** By the first digit of a status: answers of 1xx are none yet. */
const CLASSES = [null, null, '2xx', '3xx', '4xx', '5xx'] as const;
/** Of requests, in the classic format: every fourth bucket, a doubling each, from 1 ms to 32 s. */
const CLASSIC = { first: 12, last: 72, step: 4 } as const;
/** The first bucket has what took no longer than its bound, however short: 2^-13 s. */
const ZERO = { upTo: 2 ** -13, offset: -51 } as const;
const GC_BOUNDS_S = [0.01, 0.1, 1, 10];
const ROLLOUT_BOUNDS_S = [1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600];

/** What the system says of the supervisor's own process. */
export interface OwnProcess {
  readonly cpuSeconds: number;
  readonly rssBytes: number;
  /** Since 1970. */
  readonly startedAtSeconds: number;
}

/** Of a slot's workers, as of now. */
export interface Present {
  readonly slot: number;
  readonly measured: Measured;
  /** The last seconds: of each the mean, the median, the 99th percentile and the most, in milliseconds. */
  readonly delays: readonly (readonly number[])[];
  /** Share of the last seconds in which the event loop was active; null where it is not known. */
  readonly utilization: number | null;
}

export interface Observed {
  readonly status: SupervisorStatus;
  readonly own: OwnProcess;
  /** What all workers have counted, by slot. */
  readonly rows: ReadonlyMap<number, Row>;
  /** Those that have answered. */
  readonly present: readonly Present[];
  readonly silent: number;
  /** How long rollouts took, in seconds, by outcome. */
  readonly rollouts: Readonly<Record<'done' | 'rolledBack', readonly number[]>>;
  readonly application: Readonly<Record<'series' | 'left' | 'failures' | 'ageSeconds', number>>;
}

type Value = readonly [value: number | null | undefined, labels?: Plain];
type BySlot = Iterable<readonly [slot: number, value: number]>;

export function familiesOf(observed: Observed, known: KnownLabels): Family[] {
  const families: Family[] = [];
  const { isOtel } = known;
  const add = (name: MetricName, samples: readonly Sample[]) => {
    if (samples.length > 0) families.push(familyOf(name, samples, isOtel));
  };
  const tell: Tell = {
    all: (name, ...values) =>
      add(
        name,
        values.flatMap(([value, labels = {}]): Sample[] =>
          value == null ? [] : [{ suffix: '', labels: labelsOf(name, labels, isOtel), value }],
        ),
      ),
    slots: (name, ...parts) => {
      const samples: Sample[] = [];
      for (const [part, [values, labels = {}]] of parts.entries()) {
        for (const [slot, value] of values) {
          samples.push({ suffix: '', labels: known.of(name, part, slot, labels), value });
        }
      }
      add(name, samples);
    },
  };
  ofSupervisor(observed, tell.all);
  ofWorkers(observed, tell);
  ofSockets(observed, tell.all);
  const { rows, rollouts } = observed;
  const durationsOf = (seconds: readonly number[], outcome: string) => {
    const labels = labelsOf('holdfast_rollout_seconds', { outcome }, isOtel);
    return histogramOf(tallied(seconds, ROLLOUT_BOUNDS_S), (le) => (le === null ? labels : [...labels, ['le', le]]));
  };
  add('holdfast_rollout_seconds', [
    ...durationsOf(rollouts.done, 'done'),
    ...durationsOf(rollouts.rolledBack, 'rolled_back'),
  ]);
  const gc: Sample[] = [];
  for (const [slot, row] of rows) gc.push(...gcOfSlot(slot, row, known));
  add('holdfast_worker_gc_seconds', gc);
  families.push(durations(rows, isOtel));
  return families;
}

interface Tell {
  all(name: MetricName, ...values: readonly Value[]): void;
  /** Each part has labels of its own. */
  slots(name: MetricName, ...parts: readonly (readonly [values: BySlot, labels?: Plain])[]): void;
}

function ofSupervisor({ status, own, silent, application }: Observed, tell: Tell['all']): void {
  const { name, version, nodeVersion: node_version, listenMode: listen_mode, workers, totals, rollout } = status;
  tell('holdfast_info', [1, { name, version, node_version, listen_mode }]);
  tell('holdfast_generation', [status.generation]);
  const generations = new Set([status.generation, ...workers.map(({ generation }) => generation)]);
  tell('holdfast_generation_info', ...[...generations].map((generation): Value => [1, { generation }]));
  tell('holdfast_size', [status.size]);
  tell(
    'holdfast_workers',
    ...STATES.map((state): Value => [workers.filter((worker) => worker.state === state).length, { state }]),
  );
  tell('holdfast_crash_loop', [Number(status.crashLoop)]);
  tell('holdfast_restarts_total', ...Object.entries(totals.restarts).map(([reason, n]): Value => [n, { reason }]));
  tell('holdfast_steering', [Number(status.steering)]);
  tell('holdfast_rollout_running', [Number(rollout.state === 'running')]);
  const { done, rolledBack } = totals.rollouts;
  tell('holdfast_rollouts_total', [done, { outcome: 'done' }], [rolledBack, { outcome: 'rolled_back' }]);
  const { canary } = rollout;
  tell('holdfast_canary_share', [canary?.share]);
  const groups = canary?.figures == null ? [] : (['canary', 'others'] as const);
  const ofGroups = (value: (figures: NonNullable<NonNullable<typeof canary>['figures']>['canary']) => number | null) =>
    groups.map((group): Value => [canary?.figures ? value(canary.figures[group]) : null, { group }]);
  const seconds = (ms: number | null) => (ms === null ? null : ms / 1000);
  tell('holdfast_canary_answers', ...ofGroups(({ answers }) => answers));
  tell('holdfast_canary_server_errors', ...ofGroups(({ serverErrors }) => serverErrors));
  tell('holdfast_canary_p99_seconds', ...ofGroups(({ p99Ms }) => seconds(p99Ms)));
  tell('holdfast_canary_loop_delay_seconds', ...ofGroups(({ loopDelayMs }) => seconds(loopDelayMs)));
  tell('holdfast_connections_cut_off_total', ...KINDS.map((kind): Value => [status.cutOff[kind] ?? 0, { kind }]));
  const { handed, refused, takenBack: taken_back, stayed } = status.handover;
  const outcomes = { handed, refused, taken_back, stayed: Object.values(stayed).reduce((a, b) => a + b, 0) };
  tell(
    'holdfast_connections_handed_over_total',
    ...Object.entries(outcomes).map(([outcome, n]): Value => [n, { outcome }]),
  );
  tell('holdfast_scrape_silent_workers', [silent]);
  tell('holdfast_application_series', [application.series]);
  tell('holdfast_application_series_left_out', [application.left]);
  tell('holdfast_application_failures', [application.failures]);
  tell('holdfast_application_age_seconds', [application.ageSeconds]);
  tell('holdfast_supervisor_cpu_seconds_total', [own.cpuSeconds]);
  tell('holdfast_supervisor_resident_memory_bytes', [own.rssBytes]);
  tell('holdfast_supervisor_start_time_seconds', [own.startedAtSeconds]);
}

function ofWorkers({ status, rows, present }: Observed, tell: Tell): void {
  const counted = (name: MetricName, ...parts: readonly (readonly [at: number, labels?: Plain, factor?: number])[]) =>
    tell.slots(name, ...parts.map(([at, labels = {}, factor = 1]) => [column(rows, at, factor), labels] as const));
  counted('holdfast_worker_requests_total', [AT.requests]);
  counted(
    'holdfast_worker_responses_total',
    ...CLASSES.flatMap((name, i) => (name === null ? [] : [[AT.statuses + i, { class: name }] as const])),
  );
  counted('holdfast_worker_received_bytes_total', [AT.receivedBytes]);
  counted('holdfast_worker_sent_bytes_total', [AT.sentBytes]);
  counted(
    'holdfast_worker_accepted_connections_total',
    ...(['http1', 'http2', 'other'] as const).map((kind) => [AT[kind], { kind }] as const),
  );
  counted(
    'holdfast_worker_cpu_seconds_total',
    [AT.cpuUserMs, { mode: 'user' }, 1e-3],
    [AT.cpuSystemMs, { mode: 'system' }, 1e-3],
  );
  counted(
    'holdfast_worker_event_loop_seconds_total',
    [AT.loopActiveMs, { state: 'active' }, 1e-3],
    [AT.loopIdleMs, { state: 'idle' }, 1e-3],
  );
  const there = bySlot(status.workers);
  tell.slots('holdfast_worker_generation', [amounts(there, ({ generation }) => generation, Math.max)]);
  const answering = bySlot(present);
  const gauge = (name: MetricName, value: (one: Present) => number | null, together = add) =>
    tell.slots(name, [amounts(answering, value, together)]);
  gauge('holdfast_worker_connections', ({ measured }) => measured.connections);
  tell.slots(
    'holdfast_worker_open_connections',
    ...KINDS.map((kind) => [amounts(answering, ({ measured }) => measured.kinds?.[kind] ?? 0, add), { kind }] as const),
  );
  gauge('holdfast_worker_resident_memory_bytes', ({ measured }) => measured.rssBytes);
  gauge('holdfast_worker_heap_used_bytes', ({ measured }) => measured.heapUsedBytes);
  // Of both where one follows the other, as what they use is: a share of the limit stays a share of it.
  gauge('holdfast_worker_heap_limit_bytes', ({ measured }) => measured.heapLimitBytes);
  gauge('holdfast_worker_external_memory_bytes', ({ measured }) => measured.externalBytes);
  gauge('holdfast_worker_event_loop_utilization', ({ utilization }) => utilization, Math.max);
  const late = (at: number, of: (values: readonly number[]) => number) => (one: Present) =>
    one.delays.length === 0 ? null : of(one.delays.map((second) => second[at] ?? 0)) / 1000;
  const mean = (values: readonly number[]) => values.reduce(add, 0) / values.length;
  const most = (values: readonly number[]) => Math.max(...values);
  gauge('holdfast_worker_event_loop_delay_mean_seconds', late(0, mean), Math.max);
  gauge('holdfast_worker_event_loop_delay_p50_seconds', late(1, mean), Math.max);
  gauge('holdfast_worker_event_loop_delay_p99_seconds', late(2, most), Math.max);
  gauge('holdfast_worker_event_loop_delay_max_seconds', late(3, most), Math.max);
}

function ofSockets({ status }: Observed, tell: Tell['all']): void {
  const perSocket = (value: (socket: SocketOf, all: readonly SocketOf[]) => number | null): Value[] =>
    status.addresses.flatMap(({ host, port, sockets }) =>
      sockets.map((socket): Value => {
        const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
        return [value(socket, sockets), { address, slot: socket.slot ?? 'all' }];
      }),
    );
  const share = ({ weight }: SocketOf, all: readonly SocketOf[]) => {
    const sum = all.reduce((total, one) => total + (one.weight ?? 0), 0);
    return weight === null || sum === 0 ? null : weight / sum;
  };
  tell('holdfast_socket_queue_length', ...perSocket(({ queueLength }) => queueLength));
  tell('holdfast_socket_queue_limit', ...perSocket(({ backlog }) => backlog));
  tell('holdfast_socket_weight', ...perSocket(({ weight }) => weight));
  tell('holdfast_socket_share', ...perSocket(share));
}

type SocketOf = SupervisorStatus['addresses'][number]['sockets'][number];

/** What every slot has counted at a place of its row. */
function* column(rows: ReadonlyMap<number, Row>, at: number, factor: number): Generator<readonly [number, number]> {
  for (const [slot, row] of rows) yield [slot, (row[at] ?? 0) * factor];
}

/** Of kinds that there were. */
function gcOfSlot(slot: number, row: Row, known: KnownLabels): Sample[] {
  const name = 'holdfast_worker_gc_seconds';
  return GC_KINDS.flatMap((kind, k) => {
    const { count, ms, buckets } = gcOf(row, kind);
    if (count === 0) return [];
    const first = k * (GC_BOUNDS_S.length + 2);
    return histogramOf({ bounds: GC_BOUNDS_S, counts: buckets, count, sum: ms / 1000 }, (le, number) =>
      known.of(name, first + number, slot, le === null ? { kind } : { kind, le }),
    );
  });
}

/** All that has been answered, whoever did. */
function durations(rows: ReadonlyMap<number, Row>, otel: boolean): Family {
  const name = 'holdfast_http_request_duration_seconds';
  const all = newRow();
  for (const row of rows.values()) addTo(all, row);
  const latency = [...latencyOf(all)];
  const count = latency.reduce(add, 0);
  const sum = (all[AT.tookMs] ?? 0) / 1000;
  const bounds: number[] = [];
  const counts: number[] = [];
  let from = 0;
  for (let at: number = CLASSIC.first; at <= CLASSIC.last; at += CLASSIC.step) {
    bounds.push(upperBound(at) / 1000);
    counts.push(latency.slice(from, at + 1).reduce(add, 0));
    from = at + 1;
  }
  const [zeroCount = 0, ...rest] = latency;
  const native: NativeHistogram = {
    ...{ labels: [], count, sum, zeroUpTo: ZERO.upTo, zeroCount, offset: ZERO.offset, counts: rest },
  };
  const buckets = histogramOf({ bounds, counts, count, sum }, (le) => (le === null ? [] : [['le', le]]));
  return { ...familyOf(name, buckets, otel), native: [native] };
}

function familyOf(name: MetricName, samples: readonly Sample[], otel: boolean): Family {
  const entry: Entry = CATALOG[name];
  return { name: (otel ? entry.otel : undefined) ?? name, type: entry.type, help: entry.help, samples };
}

/** In the order of slots; a slot has two workers while one follows the other. */
function bySlot<T extends { readonly slot: number }>(workers: readonly T[]): (readonly T[])[] {
  const found = new Map<number, T[]>();
  for (const worker of workers) {
    const present = found.get(worker.slot);
    if (present === undefined) found.set(worker.slot, [worker]);
    else present.push(worker);
  }
  return [...found].sort(([a], [b]) => a - b).map(([, ofSlot]) => ofSlot);
}

function* amounts<T extends { readonly slot: number }>(
  slots: readonly (readonly T[])[],
  value: (worker: T) => number | null,
  together: (one: number, other: number) => number,
): Generator<readonly [slot: number, amount: number]> {
  for (const workers of slots) {
    let all: number | null = null;
    let slot = 0;
    for (const worker of workers) {
      slot = worker.slot;
      const amount = value(worker);
      if (amount !== null) all = all === null ? amount : together(all, amount);
    }
    if (all !== null) yield [slot, all];
  }
}

const add = (one: number, other: number): number => one + other;
