import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { FRESH_MS } from '../../src/supervisor/observe/observer.js';
import { metricsOf } from '../monitor/support/exposition.js';
import { freePort } from '../support/ports.js';
import { ask } from './support/ask.js';
import { apps, Holdfast } from './support/holdfast.js';

interface Scene {
  readonly holdfast: Holdfast;
  readonly port: number;
  readonly admin: number;
  scrape(query?: string): Promise<Record<string, number>>;
}

async function begin(t: Test, ...args: string[]): Promise<Scene> {
  const [port, admin] = [await freePort(), await freePort()];
  const holdfast = new Holdfast(t, path.join(apps, 'metrics.cjs'), {
    args: ['-i', '2', '--admin', String(admin), ...args],
    env: { PORT: String(port) },
  });
  await holdfast.message('started');
  // What has happened since the last scrape is to be in this one: the last answer is given for a moment to whoever asks, and a
  // scrape that comes at even distances is answered with what was asked before it.
  let scrapedAt = 0;
  const scrape = async (query = '') => {
    await delay(Math.max(0, scrapedAt + FRESH_MS - performance.now()));
    const text = await (
      await fetch(`http://127.0.0.1:${admin}/metrics${query}`, { headers: { 'cache-control': 'no-cache' } })
    ).text();
    scrapedAt = performance.now();
    return metricsOf(text);
  };
  return { holdfast, port, admin, scrape };
}

const sum = (metrics: Record<string, number>, name: string) =>
  Object.entries(metrics)
    .filter(([series]) => series.startsWith(`${name}{`))
    .reduce((total, [, value]) => total + value, 0);

t.test("the application's own metrics come with those of holdfast, of all workers together", async (t) => {
  const { port, scrape, admin } = await begin(t);
  for (let i = 0; i < 10; i++) await ask(port, '/a');
  t.equal((await fetch(`http://127.0.0.1:${port}/bad`)).status, 503);
  const metrics = await scrape();
  t.match(metrics, {
    'shop_orders_total{kind="/a"}': 10,
    'shop_orders_total{kind="/bad"}': 1,
    'shop_order_seconds_bucket{le="0.1"}': 11,
    shop_order_seconds_count: 11,
    shop_slot_max: 1,
    shop_slot_min: 0,
    shop_slot_average: 0.5,
    shop_slot_first: 7,
    shop_stock: 6,
    'shop_visits{path="a \\"quoted\\" \\\\ one"}': 11,
    holdfast_size: 2,
    holdfast_scrape_silent_workers: 0,
    holdfast_http_request_duration_seconds_count: 11,
  });
  t.notOk('shop_slot_omit' in metrics);
  t.equal(sum(metrics, 'holdfast_worker_requests_total'), 11);
  t.equal(metrics.holdfast_application_series_left_out, 1, 'a name that is taken');

  const bySlot = await scrape('?scope=worker');
  t.match(bySlot, { 'shop_slot_max{slot="0"}': 0, 'shop_slot_max{slot="1"}': 1, 'shop_stock{slot="1"}': 3 });
  t.equal(sum(bySlot, 'shop_orders_total'), 11);

  const open = await fetch(`http://127.0.0.1:${admin}/metrics`, {
    headers: { accept: 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5' },
  });
  t.match(open.headers.get('content-type'), /^application\/openmetrics-text; version=1\.0\.0/);
  t.match(await open.text(), /# TYPE shop_orders counter\n[\s\S]*# EOF\n$/);
});

t.test(
  'an application that answers /metrics itself answers with the whole, also where there is no admin address',
  async (t) => {
    const port = await freePort();
    const env = { PORT: String(port) };
    const holdfast = new Holdfast(t, path.join(apps, 'metrics.cjs'), { args: ['-i', '2'], env });
    await holdfast.message('started');
    for (let i = 0; i < 6; i++) await ask(port, '/a');
    // Who is asked for the first time has to load what it is asked for: on a busy machine it is left out of the first answers.
    const whole = async () => {
      for (;;) {
        const told = metricsOf(await (await fetch(`http://127.0.0.1:${port}/whole`)).text());
        if (told.holdfast_scrape_silent_workers === 0) return told;
      }
    };
    t.match(await whole(), { 'shop_orders_total{kind="/a"}': 6, holdfast_size: 2 });
    const modules = (await ask(port, '/modules')) as string[];
    t.same(
      modules.filter((file) => file.endsWith('measure.js')),
      [],
      'what measures it is none of its modules',
    );
    t.equal((await holdfast.run('reload')).code, 0);
    await ask(port, '/a');
    const response = await fetch(`http://127.0.0.1:${port}/whole`);
    t.match(response.headers.get('content-type'), /^text\/plain; version=0\.0\.4/);
    t.match(await whole(), { 'shop_orders_total{kind="/a"}': 7, holdfast_generation: 2 });
  },
);

t.test(
  'counters never go back: not by reloads, not by a scale, and by a crash what is unknown is lost alone',
  async (t) => {
    const { holdfast, port, scrape } = await begin(t);
    let before = await scrape();
    const counters = (metrics: Record<string, number>) =>
      Object.keys(metrics).filter((name) => /_total\b|_bucket\b|_count\b|_sum\b|^shop_visits/.test(name));
    const check = async (what: string) => {
      const now = await scrape();
      for (const name of counters(before)) {
        if ((now[name] ?? -1) < (before[name] ?? 0)) t.fail(`${what}: ${name} was ${before[name]} and is ${now[name]}`);
      }
      before = now;
      return now;
    };
    let asked = 0;
    const load = async (times: number) => {
      for (let i = 0; i < times; i++) await ask(port, '/a');
      asked += times;
    };
    for (let reload = 0; reload < 3; reload++) {
      await load(20);
      t.equal((await holdfast.run('reload')).code, 0);
      const now = await check(`reload ${reload}`);
      t.equal(now['shop_orders_total{kind="/a"}'], asked, 'none is lost');
      t.equal(now.holdfast_http_request_duration_seconds_count, asked);
    }
    t.equal((await holdfast.run('scale', '1')).code, 0);
    await load(5);
    t.equal((await check('scale'))['shop_orders_total{kind="/a"}'], asked);
    t.equal((await holdfast.run('scale', '2')).code, 0);
    await load(5);
    t.equal((await check('scale'))['shop_orders_total{kind="/a"}'], asked);
    await fetch(`http://127.0.0.1:${port}/crash`).catch(() => {});
    await holdfast.message('worker crashed');
    const after = await check('crash');
    t.equal(after['shop_orders_total{kind="/a"}'], asked, 'it had been scraped before');
    t.ok((after['holdfast_rollout_seconds_count{outcome="done"}'] ?? 0) === 3);
  },
);

t.test('a worker that does not answer is left out and counted; what it had counted stays', async (t) => {
  const { holdfast, port, scrape } = await begin(t, '--hang-timeout', '0');
  for (let i = 0; i < 8; i++) await ask(port, '/a');
  const before = await scrape();
  const [worker] = (await holdfast.status()).workers;
  process.kill(worker?.pid ?? 0, 'SIGSTOP');
  t.teardown(() => process.kill(worker?.pid ?? 0, 'SIGCONT'));
  let now: Record<string, number>;
  let tookMs: number;
  do {
    const begun = performance.now();
    now = await scrape();
    tookMs = performance.now() - begun;
    // On a busy machine the other one may be late as well.
  } while ((now.holdfast_scrape_silent_workers ?? 0) > 1);
  t.ok(tookMs >= 400, `it was waited for: ${Math.round(tookMs)} ms`);
  t.equal(now.holdfast_scrape_silent_workers, 1);
  t.equal(now['shop_orders_total{kind="/a"}'], 8);
  t.equal(Object.keys(now).filter((name) => name.startsWith('holdfast_worker_heap_used_bytes')).length, 1);
  t.equal(sum(now, 'holdfast_worker_requests_total'), sum(before, 'holdfast_worker_requests_total'));
  process.kill(worker?.pid ?? 0, 'SIGCONT');
  await holdfast.status();
  // It comes back as soon as it has answered in time.
  for (now = await scrape(); now.holdfast_scrape_silent_workers === 1; now = await scrape());
  t.equal(now.holdfast_scrape_silent_workers, 0);
});

/** The first event of a name that the page is told, from now on. */
async function told(admin: number, name: 'history' | 'now'): Promise<string> {
  const { body } = await fetch(`http://127.0.0.1:${admin}/feed`);
  let heard = '';
  for await (const chunk of body!.pipeThrough(new TextDecoderStream())) {
    heard += chunk;
    const found = new RegExp(`event: ?${name}\\ndata: ?(.+)\\n`).exec(heard);
    if (found) return found[1]!;
  }
  throw new Error(`the stream ended with ${heard}`);
}

/** The last hour, which has something in it once a second has gone, and what has happened in it. */
async function hourOf(admin: number): Promise<{ at: number[]; marks: { kind: string }[] }> {
  await told(admin, 'now');
  return JSON.parse(await told(admin, 'history'));
}

t.test('an upgrade of the supervisor sets nothing back', async (t) => {
  const { holdfast, port, admin, scrape } = await begin(t, '--orphan-timeout', '1m');
  for (let i = 0; i < 10; i++) await ask(port, '/a');
  t.equal((await holdfast.run('reload')).code, 0);
  for (let i = 0; i < 5; i++) await ask(port, '/a');
  const before = await scrape();
  t.match(before, { 'shop_orders_total{kind="/a"}': 15, 'holdfast_rollouts_total{outcome="done"}': 1 });
  const hour = await hourOf(admin);
  t.match(hour.marks, [{ kind: 'reload' }]);

  const upgraded = await holdfast.run('upgrade');
  t.equal(upgraded.code, 0, upgraded.stderr);
  await holdfast.message('supervisor replaced');
  const after = await scrape();
  const growing = Object.entries(before).filter(([series]) => /_(?:total|count|bucket|sum)(?:\{|$)/.test(series));
  t.ok(growing.length > 50, `${growing.length} series that only grow`);
  const ownOnly = /^holdfast_supervisor_/;
  t.same(
    growing.filter(([series, value]) => !ownOnly.test(series) && !((after[series] ?? 0) >= value)),
    [],
  );
  await ask(port, '/a');
  t.equal((await scrape())['shop_orders_total{kind="/a"}'], 16);
  const { at, marks } = await hourOf(admin);
  t.same(marks, hour.marks, 'the page goes on, too');
  t.equal(at[0], hour.at[0]);

  // Those that had ended are still counted, and those that end now.
  t.equal((await holdfast.run('reload')).code, 0);
  t.match(await scrape(), { 'shop_orders_total{kind="/a"}': 16, 'holdfast_rollouts_total{outcome="done"}': 2 });
});
