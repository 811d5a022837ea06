/**
 * What is known of the application and its workers as metrics. Asked for when somebody scrapes. Pure: it makes families of what
 * it is given, each of which the catalogue knows.
 */
import { upperBound } from '../latency.js';
import type { ConnectionKind, Measured, SupervisorStatus, WorkerState } from '../protocol.js';
import { CATALOG, type Entry, type MetricName } from './catalog.js';
import type { Family, Labels, NativeHistogram, Sample } from './family.js';
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
  readonly application: { readonly series: number; readonly left: number; readonly failures: number };
}

type Value = readonly [value: number | null | undefined, labels?: Readonly<Record<string, string | number>>];

/** @param otel whether names are those of OpenTelemetry, where it has some */
export function familiesOf(observed: Observed, otel: boolean): Family[] {
  const families: Family[] = [];
  const tell = (name: MetricName, ...values: readonly Value[]) => {
    const samples = values.flatMap(([value, labels = {}]): Sample[] =>
      value == null ? [] : [{ suffix: '', labels: labelsOf(name, labels, otel), value }],
    );
    if (samples.length > 0) families.push(familyOf(name, samples, otel));
  };
  ofSupervisor(observed, tell);
  ofWorkers(observed, tell);
  ofSockets(observed, tell);
  const { rows, rollouts } = observed;
  const histogram = (name: MetricName, parts: readonly Part[]) => {
    const samples = parts.flatMap((part) => histogramOf(part, labelsOf(name, part.labels, otel)));
    if (samples.length > 0) families.push(familyOf(name, samples, otel));
  };
  histogram('holdfast_rollout_seconds', [
    { ...tallied(rollouts.done, ROLLOUT_BOUNDS_S), labels: { outcome: 'done' } },
    { ...tallied(rollouts.rolledBack, ROLLOUT_BOUNDS_S), labels: { outcome: 'rolled_back' } },
  ]);
  histogram(
    'holdfast_worker_gc_seconds',
    [...rows].flatMap(([slot, row]) => gcParts(slot, row)),
  );
  families.push(durations(rows, otel));
  return families;
}

type Tell = (name: MetricName, ...values: readonly Value[]) => void;

function ofSupervisor({ status, own, silent, application }: Observed, tell: Tell): void {
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
  tell('holdfast_supervisor_cpu_seconds_total', [own.cpuSeconds]);
  tell('holdfast_supervisor_resident_memory_bytes', [own.rssBytes]);
  tell('holdfast_supervisor_start_time_seconds', [own.startedAtSeconds]);
}

function ofWorkers({ status, rows, present }: Observed, tell: Tell): void {
  const counted = (name: MetricName, ...parts: readonly (readonly [at: number, labels?: object, factor?: number])[]) =>
    tell(
      name,
      ...[...rows].flatMap(([slot, row]) =>
        parts.map(([at, labels, factor = 1]): Value => [(row[at] ?? 0) * factor, { slot, ...labels }]),
      ),
    );
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
  const newest = bySlot(status.workers, ({ generation }) => generation, Math.max);
  tell('holdfast_worker_generation', ...newest);
  const gauge = (name: MetricName, value: (one: Present) => number | null, together = add) =>
    tell(name, ...bySlot(present, value, together));
  gauge('holdfast_worker_connections', ({ measured }) => measured.connections);
  tell(
    'holdfast_worker_open_connections',
    ...KINDS.flatMap((kind) =>
      bySlot(present, ({ measured }) => measured.kinds?.[kind] ?? 0, add).map(
        ([n, labels]): Value => [n, { ...labels, kind }],
      ),
    ),
  );
  gauge('holdfast_worker_resident_memory_bytes', ({ measured }) => measured.rssBytes);
  gauge('holdfast_worker_heap_used_bytes', ({ measured }) => measured.heapUsedBytes);
  gauge('holdfast_worker_heap_limit_bytes', ({ measured }) => measured.heapLimitBytes, Math.max);
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

function ofSockets({ status }: Observed, tell: Tell): void {
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

interface Part {
  readonly bounds: readonly number[];
  /** As many as there are bounds, each without those before it. */
  readonly counts: readonly number[];
  readonly count: number;
  readonly sum: number;
  readonly labels: Readonly<Record<string, string | number>>;
}

function histogramOf({ bounds, counts, count, sum }: Part, labels: Labels): Sample[] {
  let below = 0;
  const buckets = bounds.map((bound, i): Sample => {
    below += counts[i] ?? 0;
    return { suffix: '_bucket', labels: [...labels, ['le', String(bound)]], value: below };
  });
  return [
    ...buckets,
    { suffix: '_bucket', labels: [...labels, ['le', '+Inf']], value: count },
    { suffix: '_sum', labels, value: sum },
    { suffix: '_count', labels, value: count },
  ];
}

function tallied(seconds: readonly number[], bounds: readonly number[]): Omit<Part, 'labels'> {
  const within = (one: number) => bounds.findIndex((bound) => one <= bound);
  const counts = bounds.map((_bound, i) => seconds.filter((one) => within(one) === i).length);
  return { bounds, counts, count: seconds.length, sum: seconds.reduce(add, 0) };
}

function gcParts(slot: number, row: Row): Part[] {
  return GC_KINDS.flatMap((kind) => {
    const { count, ms, buckets } = gcOf(row, kind);
    const part = { bounds: GC_BOUNDS_S, counts: [...buckets], count, sum: ms / 1000, labels: { slot, kind } };
    return count === 0 ? [] : [part];
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
  return { ...familyOf(name, histogramOf({ bounds, counts, count, sum, labels: {} }, []), otel), native: [native] };
}

function familyOf(name: MetricName, samples: readonly Sample[], otel: boolean): Family {
  const entry: Entry = CATALOG[name];
  return { name: (otel ? entry.otel : undefined) ?? name, type: entry.type, help: entry.help, samples };
}

function labelsOf(name: MetricName, labels: Readonly<Record<string, string | number>>, otel: boolean): Labels {
  const { otelLabels }: Entry = CATALOG[name];
  return Object.entries(labels).map(([label, value]) => [
    (otel ? otelLabels?.[label] : undefined) ?? label,
    String(value),
  ]);
}

function bySlot<T extends { readonly slot: number }>(
  workers: readonly T[],
  value: (worker: T) => number | null,
  together: (one: number, other: number) => number,
): Value[] {
  const found = new Map<number, number>();
  for (const worker of workers) {
    const amount = value(worker);
    if (amount === null) continue;
    const present = found.get(worker.slot);
    found.set(worker.slot, present === undefined ? amount : together(present, amount));
  }
  return [...found].sort(([a], [b]) => a - b).map(([slot, amount]): Value => [amount, { slot }]);
}

const add = (one: number, other: number): number => one + other;
