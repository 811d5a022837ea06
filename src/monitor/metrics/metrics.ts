/**
 * What is known of the application and its workers as metrics. Asked for when somebody scrapes. Pure: it makes families of what
 * it is given, each of which the catalogue knows.
 */
import { upperBound } from '../../latency.js';
import type { SupervisorStatus, WorkerState } from '../../protocol/status.js';
import type { Family, NativeHistogram, Part, Sample } from '../formats/family.js';
import { AT, addTo, latencyOf, newRow, type Row } from '../tallies.js';
import { CATALOG, type Entry, type MetricName } from './catalog.js';
import { histogramOf, tallied } from './histograms.js';
import { KnownLabels, labelsOf, type Plain } from './known-labels.js';
import { KINDS, type Present, type SlotFigures, SlotMetrics } from './slots.js';
import { SocketMetrics } from './sockets.js';

/** In the order of a worker's life, all of them told, also those that nobody is in. */
const STATES = ['starting', 'ready', 'draining', 'terminating', 'killing'] as const satisfies readonly WorkerState[];
/** Of requests, in the classic format: every fourth bucket, a doubling each, from 1 ms to 32 s. */
const CLASSIC = { first: 12, last: 72, step: 4 } as const;
/** The first bucket has what took no longer than its bound, however short: 2^-13 s. */
const ZERO = { upTo: 2 ** -13, offset: -51 } as const;
const ROLLOUT_BOUNDS_S = [1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600];

/** What the system says of the supervisor's own process. */
export interface OwnProcess {
  readonly cpuSeconds: number;
  readonly rssBytes: number;
  /** Since 1970. */
  readonly startedAtSeconds: number;
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
type Tell = (name: MetricName, ...values: readonly Value[]) => void;

/** Of one supervisor: keeps what need not be made anew in each scrape. */
export class Metrics {
  readonly #isOtel: boolean;
  readonly #slots: SlotMetrics;
  readonly #sockets = new SocketMetrics();

  /** @param isOtel whether names are those of OpenTelemetry, where it has some */
  constructor(isOtel: boolean) {
    this.#isOtel = isOtel;
    this.#slots = new SlotMetrics(new KnownLabels(isOtel));
  }

  familiesOf(observed: Observed): Family[] {
    const families: Family[] = [];
    const isOtel = this.#isOtel;
    const add = (name: MetricName, parts: readonly Part[]) => families.push(familyOf(name, parts, isOtel));
    const tell: Tell = (name, ...values) => {
      const samples = values.flatMap(([value, labels = {}]): Sample[] =>
        value == null ? [] : [{ suffix: '', labels: labelsOf(name, labels, isOtel), value }],
      );
      if (samples.length > 0) add(name, [samples]);
    };
    ofSupervisor(observed, tell);
    for (const { name, parts } of this.#slots.of(slotsOf(observed))) add(name, parts);
    for (const { name, samples } of this.#sockets.of(observed.status)) add(name, [samples]);
    const { rows, rollouts } = observed;
    const durationsOf = (seconds: readonly number[], outcome: string) => {
      const labels = labelsOf('holdfast_rollout_seconds', { outcome }, isOtel);
      return histogramOf(tallied(seconds, ROLLOUT_BOUNDS_S), (le) => (le === null ? labels : [...labels, ['le', le]]));
    };
    add('holdfast_rollout_seconds', [
      durationsOf(rollouts.done, 'done'),
      durationsOf(rollouts.rolledBack, 'rolled_back'),
    ]);
    families.push(durations(rows, isOtel));
    return families;
  }
}

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
  tell('holdfast_application_age_seconds', [application.ageSeconds]);
  tell('holdfast_supervisor_cpu_seconds_total', [own.cpuSeconds]);
  tell('holdfast_supervisor_resident_memory_bytes', [own.rssBytes]);
  tell('holdfast_supervisor_start_time_seconds', [own.startedAtSeconds]);
}

/** In the order of slots. */
function slotsOf({ status, rows, present }: Observed): SlotFigures[] {
  const generations = new Map<number, number>();
  for (const { slot, generation } of status.workers)
    generations.set(slot, Math.max(generation, generations.get(slot) ?? generation));
  const answering = new Map<number, Present[]>();
  for (const one of present) {
    const ofSlot = answering.get(one.slot);
    if (ofSlot === undefined) answering.set(one.slot, [one]);
    else ofSlot.push(one);
  }
  const slots = [...new Set([...rows.keys(), ...generations.keys(), ...answering.keys()])].sort((a, b) => a - b);
  return slots.map((slot) => ({
    slot,
    row: rows.get(slot) ?? null,
    generation: generations.get(slot) ?? null,
    present: answering.get(slot) ?? [],
  }));
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
  return { ...familyOf(name, [buckets], otel), native: [native] };
}

function familyOf(name: MetricName, parts: readonly Part[], otel: boolean): Family {
  const entry: Entry = CATALOG[name];
  return { name: (otel ? entry.otel : undefined) ?? name, type: entry.type, help: entry.help, parts };
}

const add = (one: number, other: number): number => one + other;
