import { readFileSync } from 'node:fs';
import t from 'tap';
import { Metrics } from '../../src/monitor/metrics.js';
import type { WorkerStatus } from '../../src/protocol.js';
import { statusOf } from '../control/support/fake-target.js';
import { metricsOf } from './support/exposition.js';

const own = { cpuSeconds: 1.5, rssBytes: 50_000_000, startedAtSeconds: 1_700_000_000 };

function workerOf(id: number, slot: number, more: Partial<WorkerStatus> = {}): WorkerStatus {
  return {
    id,
    slot,
    generation: 1,
    pid: 1000 + id,
    state: 'ready',
    uptimeMs: 1_000,
    restarts: 0,
    recycled: 0,
    restartReason: null,
    scriptChanged: false,
    missing: [],
    cpuPercent: 10,
    rssBytes: 1_000,
    eventLoopDelayMs: 2,
    connections: 3,
    accepted: 5,
    requests: 100,
    ...more,
  };
}

t.test('the status becomes metrics, one line for each state, slot and socket', async (t) => {
  const status = statusOf('shop', {
    size: 2,
    generation: 3,
    steering: true,
    workers: [workerOf(1, 0), workerOf(2, 1, { state: 'draining', requests: 7 })],
    addresses: [
      {
        kind: 'tcp',
        host: '0.0.0.0',
        port: 3000,
        sockets: [
          { slot: 0, weight: 1, queueLength: 4, backlog: 511 },
          { slot: 1, weight: 0, queueLength: null, backlog: null },
        ],
      },
    ],
    totals: { restarts: { crashed: 2, failed: 0, hung: 1, recycled: 3 }, rollouts: { done: 4, rolledBack: 1 } },
    cutOff: { websocket: 2 },
  });
  const { contentType, text } = await new Metrics().render(status, own);
  t.match(contentType, /^text\/plain; version=0\.0\.4/);
  const metrics = metricsOf(text);
  t.match(metrics, {
    'holdfast_info{name="shop",version="1.2.3",node_version="v20.0.0",listen_mode="reuseport"}': 1,
    holdfast_generation: 3,
    holdfast_size: 2,
    holdfast_crash_loop: 0,
    holdfast_steering: 1,
    holdfast_rollout_running: 0,
    'holdfast_rollouts_total{outcome="done"}': 4,
    'holdfast_rollouts_total{outcome="rolled_back"}': 1,
    'holdfast_restarts_total{reason="crashed"}': 2,
    'holdfast_restarts_total{reason="failed"}': 0,
    'holdfast_restarts_total{reason="hung"}': 1,
    'holdfast_restarts_total{reason="recycled"}': 3,
    'holdfast_connections_cut_off_total{kind="websocket"}': 2,
    'holdfast_workers{state="starting"}': 0,
    'holdfast_workers{state="ready"}': 1,
    'holdfast_workers{state="draining"}': 1,
    'holdfast_worker_cpu_percent{slot="0"}': 10,
    'holdfast_worker_resident_memory_bytes{slot="1"}': 1_000,
    'holdfast_worker_event_loop_delay_seconds{slot="0"}': 0.002,
    'holdfast_worker_connections{slot="0"}': 3,
    'holdfast_worker_requests_total{slot="1"}': 7,
    'holdfast_socket_queue_length{address="0.0.0.0:3000",slot="0"}': 4,
    'holdfast_socket_queue_limit{address="0.0.0.0:3000",slot="0"}': 511,
    'holdfast_socket_weight{address="0.0.0.0:3000",slot="1"}': 0,
    process_cpu_seconds_total: 1.5,
    process_resident_memory_bytes: 50_000_000,
    process_start_time_seconds: 1_700_000_000,
  });
  t.notOk('holdfast_socket_queue_length{address="0.0.0.0:3000",slot="1"}' in metrics, 'what is not known is left out');
});

t.test('workers that share a slot are added up, however many there have been', async (t) => {
  const metrics = new Metrics();
  for (let id = 1; id <= 50; id++) {
    const pair = [workerOf(id, 0, { eventLoopDelayMs: 1 }), workerOf(id + 1, 0, { eventLoopDelayMs: 9, requests: 0 })];
    const { text } = await metrics.render(statusOf('shop', { workers: pair }), own);
    const found = Object.entries(metricsOf(text)).filter(([name]) => name.startsWith('holdfast_worker_'));
    t.equal(found.length, 5);
    t.match(Object.fromEntries(found), {
      'holdfast_worker_cpu_percent{slot="0"}': 20,
      'holdfast_worker_event_loop_delay_seconds{slot="0"}': 0.009,
      'holdfast_worker_requests_total{slot="0"}': id * 100,
    });
  }
});

t.test('the requests of a slot never become fewer, whoever answers them', async (t) => {
  const metrics = new Metrics();
  const scrape = async (...workers: WorkerStatus[]) => {
    const { text } = await metrics.render(statusOf('shop', { size: 1, workers }), own);
    return metricsOf(text);
  };
  const name = 'holdfast_worker_requests_total{slot="0"}';
  t.equal((await scrape(workerOf(1, 0, { requests: 10 })))[name], 10);
  t.equal((await scrape(workerOf(1, 0, { requests: null })))[name], 10, 'it does not answer just now');
  t.equal((await scrape())[name], 10, 'nobody is there');
  t.equal((await scrape(workerOf(2, 0, { requests: 5 })))[name], 15);
  t.equal((await scrape(workerOf(2, 0, { requests: 8 }), workerOf(3, 1, { requests: 1 })))[name], 18);
  t.notOk('holdfast_worker_requests_total{slot="1"}' in (await scrape(workerOf(2, 0))), 'that slot is no more');
});

t.test('one socket for all slots has a line of its own', async (t) => {
  const sockets = [{ slot: null, weight: null, queueLength: 0, backlog: 511 }];
  const status = statusOf('shop', { addresses: [{ kind: 'tcp', host: '::', port: 80, sockets }] });
  const metrics = metricsOf((await new Metrics().render(status, own)).text);
  t.equal(metrics['holdfast_socket_queue_length{address="[::]:80",slot="all"}'], 0);
  t.notOk(Object.keys(metrics).some((line) => line.startsWith('holdfast_socket_weight')));
});

t.test('the documentation names metrics that there are', async (t) => {
  const { text } = await new Metrics().render(statusOf('shop'), own);
  const docs = readFileSync(new URL('../../docs/kubernetes.md', import.meta.url), 'utf8');
  const names = [...docs.matchAll(/\bholdfast_\w+/g)].map(([name]) => name);
  t.ok(names.length > 5);
  for (const name of names) t.match(text, `# TYPE ${name} `, name);
});
