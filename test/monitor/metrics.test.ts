import fc from 'fast-check';
import t from 'tap';
import { protobufOf } from '../../src/monitor/formats/protobuf.js';
import { textOf } from '../../src/monitor/formats/text-format.js';
import { CATALOG, type Entry } from '../../src/monitor/metrics/catalog.js';
import { Metrics, type Observed } from '../../src/monitor/metrics/metrics.js';
import type { Present } from '../../src/monitor/metrics/slots.js';
import { rowOf, Tallies } from '../../src/monitor/tallies.js';
import type { SupervisorStatus, WorkerStatus } from '../../src/protocol/status.js';
import { statusOf } from '../control/support/fake-target.js';
import { metricsOf } from './support/exposition.js';
import { measuredOf } from './support/measured.js';

const worker = (id: number, slot: number, state: WorkerStatus['state'] = 'ready') =>
  ({ id, slot, state, generation: 3 + (id > 2 ? 1 : 0) }) as WorkerStatus;
const FIGURES = { answers: 100, serverErrors: 2, p99Ms: 40, loopDelayMs: 1 };

function observed(more: Partial<Observed> = {}, status: Partial<SupervisorStatus> = {}): Observed {
  const sockets = [
    { slot: 0, weight: 3, queueLength: 4, backlog: 511 },
    { slot: 1, weight: 1, queueLength: null, backlog: null },
  ];
  return {
    status: statusOf('shop', {
      steering: true,
      workers: [worker(1, 0), worker(2, 1, 'draining'), worker(3, 1)],
      addresses: [{ kind: 'tcp', host: '0.0.0.0', port: 3000, sockets }],
      totals: { restarts: { crashed: 2, failed: 0, hung: 1, recycled: 3 }, rollouts: { done: 4, rolledBack: 1 } },
      cutOff: { websocket: 2 },
      handover: { on: true, reason: '', handed: 9, refused: 1, takenBack: 0, stayed: { a: 1, b: 2 } },
      rollout: {
        ...{ state: 'running', reason: null, from: 3, to: 4, trial: null },
        canary: {
          ...{ slot: 2, share: 0.1, exact: true, remainingMs: 1 },
          figures: { canary: FIGURES, others: { ...FIGURES, p99Ms: null } },
        },
      },
      ...status,
    }),
    own: { cpuSeconds: 1.5, rssBytes: 50_000_000, startedAtSeconds: 1_700_000_000 },
    rows: new Map([
      [0, rowOf(measuredOf())],
      [1, rowOf(measuredOf({ requests: 32 }))],
    ]),
    present: [
      {
        slot: 0,
        measured: measuredOf(),
        delays: [
          [1, 2, 3, 4],
          [3, 4, 5, 60],
        ],
        utilization: 0.25,
      },
      { slot: 1, measured: measuredOf(), delays: [], utilization: null },
      { slot: 1, measured: measuredOf(), delays: [[1, 1, 1, 1]], utilization: 0.5 },
    ],
    silent: 1,
    rollouts: { done: [0.5, 7, 5000], rolledBack: [] },
    application: { series: 12, left: 1, failures: 2, ageSeconds: 2.5 },
    ...more,
  };
}

const metrics = (given: Observed, otel = false) => metricsOf(textOf(new Metrics(otel).familiesOf(given), false));

t.test('everything in the catalogue is told, and nothing else', async (t) => {
  for (const otel of [false, true]) {
    const families = new Metrics(otel).familiesOf(observed());
    const expected = Object.entries<Entry>(CATALOG).map(([name, entry]) => (otel ? entry.otel : undefined) ?? name);
    t.same(families.map(({ name }) => name).sort(), expected.sort());
    for (const { name, type, help, parts } of families) {
      const [, entry] = Object.entries<Entry>(CATALOG).find(([own, one]) => own === name || one.otel === name) ?? [];
      t.match({ type, help }, { type: entry?.type, help: entry?.help }, name);
      const renamed = entry?.labels.map((label) => (otel ? entry.otelLabels?.[label] : undefined) ?? label);
      for (const { labels } of parts.flat()) {
        t.same(
          labels
            .map(([label]) => label)
            .filter((label) => label !== 'le')
            .sort(),
          [...(renamed ?? [])].sort(),
          name,
        );
      }
    }
  }
});

t.test('what is known of the supervisor and its workers', async (t) => {
  t.match(metrics(observed()), {
    'holdfast_info{name="shop",version="1.2.3",node_version="v20.0.0",listen_mode="reuseport"}': 1,
    'holdfast_generation_info{generation="3"}': 1,
    'holdfast_generation_info{generation="4"}': 1,
    'holdfast_workers{state="ready"}': 2,
    'holdfast_workers{state="draining"}': 1,
    'holdfast_workers{state="killing"}': 0,
    'holdfast_restarts_total{reason="recycled"}': 3,
    'holdfast_rollouts_total{outcome="rolled_back"}': 1,
    'holdfast_rollout_seconds_bucket{outcome="done",le="1"}': 1,
    'holdfast_rollout_seconds_bucket{outcome="done",le="3600"}': 2,
    'holdfast_rollout_seconds_bucket{outcome="done",le="+Inf"}': 3,
    'holdfast_rollout_seconds_sum{outcome="done"}': 5007.5,
    'holdfast_rollout_seconds_count{outcome="rolled_back"}': 0,
    holdfast_canary_share: 0.1,
    'holdfast_canary_p99_seconds{group="canary"}': 0.04,
    'holdfast_connections_cut_off_total{kind="websocket"}': 2,
    'holdfast_connections_cut_off_total{kind="http1"}': 0,
    'holdfast_connections_handed_over_total{outcome="stayed"}': 3,
    'holdfast_worker_requests_total{slot="1"}': 32,
    'holdfast_worker_responses_total{slot="0",class="5xx"}': 1,
    'holdfast_worker_accepted_connections_total{slot="0",kind="http2"}': 2,
    'holdfast_worker_cpu_seconds_total{slot="0",mode="user"}': 1.5,
    'holdfast_worker_event_loop_seconds_total{slot="0",state="idle"}': 0.75,
    'holdfast_worker_generation{slot="1"}': 4,
    'holdfast_worker_connections{slot="1"}': 6,
    'holdfast_worker_open_connections{slot="1",kind="websocket"}': 2,
    'holdfast_worker_heap_limit_bytes{slot="1"}': 8_000_000_000,
    'holdfast_worker_event_loop_utilization{slot="1"}': 0.5,
    'holdfast_worker_event_loop_delay_mean_seconds{slot="0"}': 0.002,
    'holdfast_worker_event_loop_delay_max_seconds{slot="0"}': 0.06,
    'holdfast_worker_gc_seconds_bucket{slot="0",kind="minor",le="0.01"}': 1,
    'holdfast_worker_gc_seconds_bucket{slot="0",kind="minor",le="0.1"}': 3,
    'holdfast_worker_gc_seconds_sum{slot="0",kind="minor"}': 0.03,
    'holdfast_socket_share{address="0.0.0.0:3000",slot="0"}': 0.75,
    'holdfast_socket_queue_length{address="0.0.0.0:3000",slot="0"}': 4,
    holdfast_scrape_silent_workers: 1,
    holdfast_application_failures: 2,
    holdfast_application_age_seconds: 2.5,
    holdfast_supervisor_cpu_seconds_total: 1.5,
  });
  const names = Object.keys(metrics(observed()));
  t.notOk(names.includes('holdfast_socket_queue_length{address="0.0.0.0:3000",slot="1"}'), 'what is not known');
  t.notOk(names.includes('holdfast_canary_p99_seconds{group="others"}'), 'what is not known');
});

t.test('durations as a histogram of both kinds agree', async (t) => {
  const latency = new Array(80).fill(0);
  // 1 of at most 0.12 ms, 2 of 1 ms, 3 of 1 s, 4 beyond all bounds.
  for (const [bucket, count] of [
    [0, 1],
    [12, 2],
    [52, 3],
    [79, 4],
  ] as const)
    latency[bucket] = count;
  const rows = new Map([[0, rowOf(measuredOf({ latency, tookMs: 3_002 }))]]);
  const name = 'holdfast_http_request_duration_seconds';
  t.match(metrics(observed({ rows })), {
    [`${name}_bucket{le="0.0009765625"}`]: 3,
    [`${name}_bucket{le="0.5"}`]: 3,
    [`${name}_bucket{le="1"}`]: 6,
    [`${name}_bucket{le="32"}`]: 6,
    [`${name}_bucket{le="+Inf"}`]: 10,
    [`${name}_sum`]: 3.002,
    [`${name}_count`]: 10,
  });
  const [native] =
    new Metrics(false).familiesOf(observed({ rows })).find((family) => family.name === name)?.native ?? [];
  t.match(native, { count: 10, sum: 3.002, zeroCount: 1, zeroUpTo: 2 ** -13 });
  // Bucket i ends at 2^((offset + i) / 4).
  const ends = (native?.counts ?? []).flatMap((count, i) =>
    count > 0 ? [2 ** (((native?.offset ?? 0) + i) / 4)] : [],
  );
  t.same(
    ends.map((end) => end.toFixed(6)),
    [2 ** -10, 1, 2 ** 6.75].map((end) => end.toFixed(6)),
  );
});

t.test('with the names of OpenTelemetry', async (t) => {
  t.match(metrics(observed(), true), {
    http_server_request_duration_seconds_count: 12,
    'nodejs_eventloop_delay_p99_seconds{slot="0"}': 0.005,
    'nodejs_eventloop_time_seconds_total{slot="0",nodejs_eventloop_state="active"}': 0.25,
    'v8js_gc_duration_seconds_count{slot="0",v8js_gc_type="minor"}': 3,
    'process_cpu_time_seconds_total{slot="0",cpu_mode="user"}': 1.5,
  });
});

t.test('one socket for all slots has a line of its own, and no share', async (t) => {
  const sockets = [{ slot: null, weight: null, queueLength: 0, backlog: 511 }];
  const found = metrics(observed({}, { addresses: [{ kind: 'tcp', host: '::', port: 80, sockets }] }));
  t.equal(found['holdfast_socket_queue_length{address="[::]:80",slot="all"}'], 0);
  t.notOk(Object.keys(found).some((line) => /^holdfast_socket_(?:weight|share)/.test(line)));
});

t.test('what is kept from scrape to scrape never shows: each is what a first one would be', async (t) => {
  const kept = new Metrics(false);
  const tallies = new Tallies();
  const present = new Map<number, Present>();
  let changes = observed({ rows: tallies.bySlot(), present: [] });
  const event = fc.record({
    what: fc.constantFrom('heard', 'late', 'silent', 'gone', 'reload', 'moved', 'queue'),
    id: fc.nat(5),
    amount: fc.nat(1_000),
  });
  const apply = ({ what, id, amount }: { what: string; id: number; amount: number }) => {
    const slot = id % 3;
    const { status } = changes;
    if (what === 'heard') {
      const measured = measuredOf({ requests: amount, connections: amount });
      tallies.heard(id, slot, rowOf(measured));
      present.set(id, { slot, measured, delays: [[1, 2, 3, amount]], utilization: amount / 1_000 });
    } else if (what === 'late') tallies.heard(id, slot, rowOf(measuredOf({ requests: amount })));
    else if (what === 'silent') present.delete(id);
    else if (what === 'gone') {
      tallies.gone(id);
      present.delete(id);
    } else if (what === 'moved') {
      const one = present.get(id);
      if (one !== undefined) present.set(id, { ...one, utilization: amount / 1_000 });
    } else if (what === 'reload') {
      const workers = [0, 1, 2].map((slot) => ({ ...worker(slot, slot), generation: amount }));
      changes = observed({}, { ...status, workers });
    } else {
      const sockets = [{ slot: amount % 2 === 0 ? 0 : 1, weight: amount, queueLength: id, backlog: 511 }];
      const addresses = [{ kind: 'tcp' as const, host: '::1', port: 3000 + (amount % 3), sockets }];
      changes = observed({}, { ...status, addresses });
    }
  };
  const property = fc.property(fc.array(event, { maxLength: 30 }), (events) => {
    for (const one of events) {
      apply(one);
      const now = { ...changes, rows: tallies.bySlot(), present: [...present.values()] };
      const fresh = new Metrics(false).familiesOf(now);
      const families = kept.familiesOf(now);
      for (const isOpen of [false, true]) if (textOf(families, isOpen) !== textOf(fresh, isOpen)) return false;
      if (!protobufOf(families).equals(protobufOf(fresh))) return false;
    }
    return true;
  });
  t.doesNotThrow(() => fc.assert(property));
});

t.test('of slots of which nothing is new nothing is made anew', async (t) => {
  const kept = new Metrics(false);
  const given = observed();
  const ofSlots = () =>
    kept.familiesOf(given).flatMap(({ name, parts }) => (name.startsWith('holdfast_worker_') ? parts : []));
  const [first, second] = [ofSlots(), ofSlots()];
  t.ok(first.length > 20, `${first.length} parts`);
  t.ok(first.every((part, i) => part === second[i]));
});
