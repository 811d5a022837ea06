/**
 * What a real Prometheus stores of the metrics, and what the dashboard and the alerts find there. Needs `prometheus` and
 * `promtool`, of Debian's package `prometheus`.
 */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { CATALOG, type Entry } from '../../src/monitor/metrics/catalog.js';
import { root } from './support/holdfast.js';
import { startPrometheus } from './support/prometheus.js';
import { has } from './support/proxies.js';
import { startShop } from './support/shop.js';

const execute = promisify(execFile);
const ALERTS = path.join(root, 'config/prometheus/alerts.yaml');
const DASHBOARD = path.join(root, 'config/grafana/holdfast.json');
const skip = has('prometheus') && has('promtool') ? false : 'needs prometheus and promtool';
/** Each waits for scrapes most of the time. */
t.jobs = 2;

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}
const dashboard = JSON.parse(readFileSync(DASHBOARD, 'utf8')) as {
  readonly panels: readonly Panel[];
  readonly annotations: { readonly list: readonly { readonly name: string; readonly expr: string }[] };
};

const COUNTERS = '{__name__=~".+_(total|bucket|sum|count)|shop_visits"}';

t.test('through 20 reloads no counter is reset in the storage of Prometheus, and all is there', { skip }, async (t) => {
  const { holdfast, admin, stopLoad } = await startShop(t, ['-i', '2']);
  const prometheus = await startPrometheus(t, admin);
  for (let reload = 0; reload < 20; reload++) {
    const { code, stderr } = await holdfast.reload();
    if (code !== 0) t.fail(`reload ${reload}: ${stderr}`);
    await prometheus.scraped();
  }
  const asked = await stopLoad();
  // A scrape that was expected is answered with what workers have told the moment before: maybe before the last answer.
  for (let scrapes = 0; scrapes < 2; scrapes++) await prometheus.scraped();
  const named = await prometheus.query(`count by (__name__) (${COUNTERS})`);
  let watched = 0;
  for (const { metric } of named) {
    const name = metric.__name__ ?? '';
    for (const series of await prometheus.query(`resets(${name}[1h])`)) {
      watched += 1;
      t.equal(series.value[1], '0', `${name} ${JSON.stringify(series.metric)}`);
    }
  }
  t.ok(watched > 100, `${watched} counters were looked at`);
  const [orders] = await prometheus.query('sum(shop_orders_total)');
  t.equal(Number(orders?.value[1]), asked, 'none is missing');
  const [done] = await prometheus.query('holdfast_rollouts_total{outcome="done"}');
  t.equal(Number(done?.value[1]), 20);
  const [changes] = await prometheus.query('changes(holdfast_generation[1h])');
  t.equal(Number(changes?.value[1]), 20, 'it was scraped between any two of them');
});

t.test(
  'every query of the dashboard and of the alerts finds something, and every metric is stored',
  { skip },
  async (t) => {
    const { holdfast, port, admin } = await startShop(t, ['-i', '2']);
    const prometheus = await startPrometheus(t, admin);
    await fetch(`http://127.0.0.1:${port}/crash`).catch(() => {});
    await holdfast.message('worker crashed');
    await holdfast.line(({ msg, worker }) => msg === 'worker ready' && Number(worker) > 2);
    t.equal((await holdfast.reload()).code, 0);
    const canary = holdfast.run('reload', '--canary', '50%', '--for', '10m');
    const seen = async (expression: string) => (await prometheus.query(expression)).length > 0;
    // It is compared once a second, and both sides have answered by then.
    while (!(await seen('count(holdfast_canary_answers > 0) == 2 and on () count(holdfast_canary_p99_seconds) == 2')))
      await prometheus.scraped();

    const names = new Set(
      (await prometheus.query('count by (__name__) ({__name__=~"holdfast_.+"})')).map(({ metric }) => metric.__name__),
    );
    for (const [name, { type }] of Object.entries<Entry>(CATALOG)) {
      t.ok(names.has(type === 'histogram' ? `${name}_bucket` : name), name);
    }
    const resolved = (expression: string) =>
      expression.replaceAll('$__rate_interval', '5m').replaceAll('$__interval', '1h').replaceAll('$instance', '.+');
    let queries = 0;
    for (const { title, targets = [] } of dashboard.panels) {
      for (const { expr } of targets) {
        queries += 1;
        t.ok(await seen(resolved(expr)), `${title}: ${expr}`);
      }
    }
    for (const { name, expr } of dashboard.annotations.list) t.ok(await seen(resolved(expr)), `${name}: ${expr}`);
    t.ok(queries > 30);
    // What an alert compares is there, with the same labels on both sides; the comparison is what is not true.
    for (const [, expr = ''] of readFileSync(ALERTS, 'utf8').matchAll(/expr: (?:\|\n)?((?:[^\n]|\n {10,})+)/g)) {
      const compared = expr
        .replaceAll(/ > [\d.]+ \* /g, ' / ')
        .replaceAll(/ (?:==|>) [\d.]+(?=\)| and|\s+or |\s*$)/g, '')
        .trim();
      t.ok(await seen(compared), compared);
    }
    t.equal((await holdfast.run('reload', '--abort')).code, 0);
    t.equal((await canary).code, 1);
  },
);

t.test('with native histograms the durations are stored as one', { skip }, async (t) => {
  const { admin } = await startShop(t, ['-i', '2']);
  const prometheus = await startPrometheus(t, admin, ['native-histograms']);
  const name = 'holdfast_http_request_duration_seconds';
  const quantile = `histogram_quantile(0.99, ${name})`;
  let found = await prometheus.query(quantile);
  while (found.length === 0 || found[0]?.value[1] === 'NaN') {
    await prometheus.scraped();
    found = await prometheus.query(quantile);
  }
  const p99 = Number(found[0]?.value[1]);
  t.ok(p99 > 0.0001 && p99 < 100, `the 99th percentile is ${p99} s`);
  t.same(await prometheus.query(`${name}_bucket`), [], 'not as a classic one');
  const [count] = await prometheus.query(`histogram_count(${name})`);
  t.ok(Number(count?.value[1]) > 0);
  t.ok((await prometheus.query('shop_order_seconds_bucket')).length === 3, "the application's own are classic ones");
  t.ok((await prometheus.query('shop_orders_total')).length > 0);
});

/** Runs it with what it is to read. */
/** As it is called with `metricsNames: otel`. */
function otelNamed(series: string): string {
  return series.replace(/^\w+/, (name) => (CATALOG as Readonly<Record<string, Entry>>)[name]?.otel ?? name);
}

async function promtool(words: readonly string[], input = ''): Promise<string> {
  const run = execute('promtool', [...words], { timeout: 60_000 });
  run.child.stdin?.end(input);
  const { stdout, stderr } = await run.catch((error) => error as { stdout: string; stderr: string });
  return stdout + stderr;
}

t.test(
  'promtool finds no fault in the metrics, nor in the alerts, which fire when they should',
  { skip },
  async (t) => {
    const { admin } = await startShop(t, ['-i', '2']);
    const text = await (await fetch(`http://127.0.0.1:${admin}/metrics`)).text();
    t.equal(await promtool(['check', 'metrics'], text.replace(/^(?:# \w+ )?shop_.*\n/gm, '')), '');
    t.match(await promtool(['check', 'rules', ALERTS]), /SUCCESS: 12 rules found/);
    const series = (name: string, values: string) => ({ series: name, values });
    const input_series = [
      series('up{job="holdfast",instance="a"}', '1x8 0x20'),
      series('holdfast_workers{state="ready",instance="a"}', '2x8 0x20'),
      series('holdfast_crash_loop{instance="a"}', '0x8 1x20'),
      series('holdfast_worker_responses_total{slot="0",class="2xx",instance="a"}', '0+100x28'),
      series('holdfast_worker_responses_total{slot="0",class="5xx",instance="a"}', '0x8 0+100x20'),
      series('holdfast_restarts_total{reason="hung",instance="a"}', '0x8 1x20'),
      series('holdfast_worker_event_loop_delay_p99_seconds{slot="0",instance="a"}', '0.1x8 2x20'),
      series('holdfast_socket_queue_length{address="a:1",slot="0",instance="a"}', '0x8 400x20'),
      series('holdfast_socket_queue_limit{address="a:1",slot="0",instance="a"}', '511x28'),
      series('holdfast_worker_heap_used_bytes{slot="0",instance="a"}', '10x8 99x20'),
      series('holdfast_worker_heap_limit_bytes{slot="0",instance="a"}', '100x28'),
      series('holdfast_rollouts_total{outcome="rolled_back",instance="a"}', '0x8 1x20'),
      series('holdfast_connections_cut_off_total{kind="http1",instance="a"}', '0x8 3x20'),
      series('holdfast_steering{instance="a"}', '1x8 0x20'),
      series('holdfast_info{listen_mode="reuseport",instance="a"}', '1x28'),
      series('holdfast_application_series_left_out{instance="a"}', '0x8 5x20'),
    ];
    const rules = readFileSync(ALERTS, 'utf8');
    const expressions = [...rules.matchAll(/expr: (?:\|\n)?((?:[^\n]|\n {10,})+)/g)].map(([, expr = '']) =>
      expr.trim(),
    );
    t.equal(expressions.length, 12);
    const file = path.join(t.testdir({}), 'alerts.test.yaml');
    for (const [eval_time, value] of [
      ['2m', 0],
      ['6m', 1],
    ] as const) {
      const promql_expr_test = expressions.map((expr) => ({
        expr: `count(${expr}) or vector(0)`,
        eval_time,
        exp_samples: [{ labels: '{}', value }],
      }));
      for (const [names, given] of [
        ['holdfast', input_series],
        ['otel', input_series.map((one) => ({ ...one, series: otelNamed(one.series) }))],
      ] as const) {
        const tests = [{ interval: '15s', input_series: given, promql_expr_test }];
        writeFileSync(file, JSON.stringify({ rule_files: [], evaluation_interval: '15s', tests }));
        const how = `${value === 1 ? 'something is wrong' : 'all is well'}, with the names of ${names}`;
        t.match(await promtool(['test', 'rules', file]), /SUCCESS/, how);
      }
    }
  },
);
