import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { PerformanceObserver } from 'node:perf_hooks';
import v8 from 'node:v8';
import vm from 'node:vm';
import client from 'prom-client';
import t from 'tap';
import { stampOf } from '../../dist/worker/connections/stamp.js';
import { Registries } from '../../dist/worker/registries.js';
import { measuredOf } from '../monitor/support/measured.js';
import { ALL, FIGURES, get, listening, measuring } from './support/measuring.js';

t.test('bytes, connections and answers are counted, of our servers alone', async (t) => {
  let accepted: net.Socket | undefined;
  const server = http.createServer((request, response) => {
    accepted = request.socket;
    request.resume().on('end', () => response.end('x'.repeat(1_000)));
  });
  const stranger = http.createServer((_request, response) => response.end());
  const measure = measuring([server]);
  const [port, other] = [await listening(t, server), await listening(t, stranger)];
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  await get(port, agent, 'y'.repeat(5_000));
  const first = await measure.read(FIGURES);
  t.ok(first.receivedBytes > 5_000 && first.receivedBytes < 6_000, `${first.receivedBytes} bytes came`);
  t.ok(first.sentBytes > 1_000 && first.sentBytes < 2_000, `${first.sentBytes} bytes went`);
  await get(port, agent);
  const second = await measure.read(FIGURES);
  const more = second.receivedBytes - first.receivedBytes;
  t.ok(more > 0 && more < 1_000, `on the same connection ${more} bytes more`);
  t.match(
    accepted && stampOf(accepted, false),
    { received: second.receivedBytes, sent: second.sentBytes },
    'what has been counted is on the stamp of the connection',
  );
  await get(other, false);
  const third = await measure.read(FIGURES);
  t.ok(third.receivedBytes > second.receivedBytes && third.sentBytes > second.sentBytes, 'also without a stamp');
  t.match(third, {
    accepted: { http1: 1, http2: 0, other: 0 },
    requests: 3,
    statuses: [0, 0, 3, 0, 0, 0],
    connections: 3,
  });
  t.notOk('application' in first || 'kinds' in first, 'what was not asked for');
});

t.test('HTTP/2 and plain TCP are other kinds; bytes of streams are counted', async (t) => {
  const h2 = http2.createServer((_request, response) => {
    response.end('x'.repeat(2_000));
  });
  const tcp = net.createServer((socket) => socket.end('bye'));
  const measure = measuring([h2, tcp]);
  const [port, plain] = [await listening(t, h2), await listening(t, tcp)];
  const session = http2.connect(`http://127.0.0.1:${port}`);
  t.teardown(() => session.destroy());
  await new Promise((resolve) => session.request({ ':path': '/' }).resume().on('close', resolve).end());
  await new Promise((resolve) => net.connect(plain, '127.0.0.1').resume().on('close', resolve));
  // Node tells of streams from 22.19 and 24.4 on.
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const tells = major > 24 || (major === 24 && minor >= 4) || (major === 22 && minor >= 19);
  let measured = await measure.read(FIGURES);
  // The client may hear of the end of a stream before the server does.
  while (tells && measured.statuses[2] === 0) {
    await new Promise((resolve) => setImmediate(resolve));
    measured = await measure.read(FIGURES);
  }
  t.same(measured.accepted, { http1: 0, http2: 1, other: 1 });
  t.equal(measured.sentBytes > 2_000, tells);
});

t.test('the event loop, garbage collections, memory and CPU time', async (t) => {
  const measure = measuring([]);
  // From its second look on, 50 ms after the first, it is known how late the loop is; reading begins anew.
  let before = await measure.read(FIGURES);
  while (before.loopDelayMs.length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    before = await measure.read(FIGURES);
  }
  t.match(
    Object.keys(before).sort(),
    Object.keys(measuredOf())
      .filter((key) => key !== 'kinds')
      .sort(),
  );
  const waste: object[] = [];
  const cpu = ({ user, system } = process.cpuUsage()) => user + system;
  const until = cpu() + 300_000;
  // As long as it takes, whoever else has the processor.
  while (cpu() < until) for (let i = 0; i < 10_000; i++) waste[i] = { i };
  // Once the loop has turned, its delay and the collections are known.
  await new Promise((resolve) => setTimeout(resolve, 120));
  const after = await measure.read(FIGURES);
  const [, , p99 = 0, max = 0] = after.loopDelayMs;
  t.ok(max >= 150 && p99 >= 150, `its event loop was late by ${max} ms, and that is the 99th percentile: ${p99}`);
  t.ok(after.cpuUserMs + after.cpuSystemMs - before.cpuUserMs - before.cpuSystemMs >= 300);
  t.ok(after.loopActiveMs - before.loopActiveMs > 250);
  const minor = after.gc.find(({ kind }) => kind === 'minor');
  t.ok(minor && minor.count > 0 && minor.ms > 0 && minor.buckets.reduce((a, b) => a + b) <= minor.count);
  for (const bytes of [after.rssBytes, after.heapUsedBytes, after.heapLimitBytes]) t.ok(bytes > 1e6);
});

t.test('garbage collections count as often as the supervisor says, and not while nobody observes them', async (t) => {
  v8.setFlagsFromString('--expose-gc');
  const collect = vm.runInNewContext('gc') as () => void;
  const measure = measuring([]);
  /** All that there were: V8 may find that another one is due. */
  let truth = 0;
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries() as { detail?: { kind?: number } }[]) if (entry.detail?.kind === 4) truth += 1;
  });
  observer.observe({ entryTypes: ['gc'] });
  t.teardown(() => observer.disconnect());
  /** One more, and how many were counted of so many; null: the supervisor does not say it. */
  const counted = async (gcWeight?: number | null) => {
    const before = { truth, count: (await majors()).count };
    collect();
    // Node tells of it in a later turn of the event loop.
    while (truth === before.truth) await new Promise((resolve) => setTimeout(resolve, 10));
    const { count, withinBounds } = await majors(gcWeight);
    t.equal(withinBounds, count, 'none took longer than 10 s');
    return (count - before.count) / (truth - before.truth);
  };
  let weight: number | null = 1;
  const majors = async (gcWeight: number | null = weight) => {
    weight = gcWeight;
    const { gc } = await measure.read({ ...FIGURES, ...(weight !== null && { gcWeight: weight }) });
    const { count = 0, buckets = [] } = gc.find(({ kind }) => kind === 'major') ?? {};
    return { count, withinBounds: buckets.reduce((a, b) => a + b, 0) };
  };
  t.equal(await counted(5), 1, 'each once until the supervisor says otherwise');
  t.equal(await counted(), 5);
  t.equal(await counted(0), 5);
  t.equal(await counted(), 0);
  t.equal(await counted(2), 0);
  t.equal(await counted(null), 2);
  t.equal(await counted(), 1, 'an older supervisor does not say it: each once');
});

t.test('the event loop is looked at as often as the supervisor says', async (t) => {
  const measure = measuring([]);
  const looks = { ...FIGURES, resolutionMs: 400 };
  const from = performance.now();
  t.same((await measure.read(looks)).loopDelayMs, [], 'looks begin anew');
  let after = await measure.read(looks);
  while (after.loopDelayMs.length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    after = await measure.read(looks);
  }
  const afterMs = performance.now() - from;
  t.ok(afterMs >= 400, `two looks are that far apart, also where the machine is quick: ${afterMs}`);
  const [mean = -1, median = -1] = after.loopDelayMs;
  t.ok(mean >= 0 && median >= 0 && median < 350, `what is between two looks is no delay: ${after.loopDelayMs}`);
});

t.test(
  "the application's registries: the default one is found, named ones are added, numbers alone follow",
  async (t) => {
    client.register.clear();
    t.teardown(() => client.register.clear());
    const named = new client.Registry();
    new client.Gauge({ name: 'stock', help: 's', registers: [named] }).set(4);
    const orders = new client.Counter({ name: 'orders_total', help: 'o' });
    orders.inc(2);
    const measure = measuring([], () => [named, client.register, 'nonsense']);
    const { kinds, application } = await measure.read({ ...ALL, known: 0 });
    t.same(kinds, { http1: 3 });
    t.match(application, { version: 1, values: [2, 4], left: 0, failure: null });
    const { costMs = -1 } = application ?? {};
    t.ok(costMs >= 0 && costMs < 1_000, 'what it took is told');
    t.same(
      JSON.parse(application?.schema ?? '').map(({ name, type }: { name: string; type: string }) => [name, type]),
      [
        ['orders_total', 'counter'],
        ['stock', 'gauge'],
      ],
    );
    orders.inc();
    const next = (await measure.read({ ...ALL, known: 1 })).application;
    t.match(next, { version: 1, values: [3, 4] });
    t.notOk(next && 'schema' in next, 'it is known');
    t.ok((await measure.read({ ...ALL, known: 0 })).application?.schema, 'by this supervisor it is not');
    new client.Gauge({ name: 'another', help: 'a' }).set(1);
    t.match((await measure.read({ ...ALL, known: 1 })).application, { version: 2, schema: /another/ });
  },
);

t.test('a description has another version when it has changed in anything, and only then', async (t) => {
  const sample = (labels: Record<string, unknown>, metricName?: string) => ({
    value: 1,
    labels,
    ...(metricName !== undefined && { metricName }),
  });
  const metric = { name: 'a', help: 'h', type: 'gauge', aggregator: 'sum', values: [sample({ x: 1, y: 'b' })] };
  let now: readonly (typeof metric)[] = [metric];
  const registries = new Registries(() => [{ getMetricsAsJSON: () => now }]);
  t.match(await registries.read(), { version: 1, values: [1] });
  now = [{ ...metric, values: [{ ...sample({ y: 'b', x: '1' }), value: 2 }] }];
  t.match(await registries.read(), { version: 1, values: [2] }, 'the same in another order');
  const changes: readonly (readonly (typeof metric)[])[] = [
    [{ ...metric, help: 'another' }],
    [{ ...metric, type: 'counter' }],
    [{ ...metric, aggregator: 'max' }],
    [{ ...metric, name: 'b' }],
    [{ ...metric, values: [sample({ x: 1, y: 'c' })] }],
    [{ ...metric, values: [sample({ x: 1 })] }],
    [{ ...metric, values: [sample({ x: 1, y: 'b', z: 'c' })] }],
    [{ ...metric, values: [sample({ x: 1, y: 'b' }, 'a_sum')] }],
    [{ ...metric, values: [...metric.values, sample({ x: 2 })] }],
    [metric, { ...metric, name: 'c' }],
    [],
  ];
  let version = 1;
  for (const change of changes) {
    now = change;
    version += 1;
    const read = await registries.read();
    t.equal(read.version, version, JSON.stringify(change));
    t.match(
      read.families,
      change.map(({ values, ...described }) => described),
    );
    t.equal((await registries.read()).version, version);
  }
});

t.test('what fails, takes too long or is too much costs only itself', async (t) => {
  const sound = new client.Registry();
  new client.Gauge({ name: 'stock', help: 's', registers: [sound] }).set(4);
  const failing = { getMetricsAsJSON: () => Promise.reject(new Error('no metrics today')) };
  const throwing = {
    getMetricsAsJSON() {
      throw new Error('none at all');
    },
  };
  t.match(await new Registries(() => [failing, sound]).read(), { values: [4], failure: 'no metrics today' });
  t.match(await new Registries(() => [throwing, sound]).read(), { values: [4], failure: 'none at all' });
  const twice = new client.Registry();
  new client.Gauge({ name: 'stock', help: 's', registers: [twice] }).set(5);
  const nameless = { name: 'x', type: 'gauge', values: [] };
  const labelled = { ...nameless, help: 'X.', values: [{ value: 1, labels: { x: Object.create(null) } }] };
  for (const told of [undefined, { a: 1 }, [null], [nameless], [labelled]]) {
    const strange = { getMetricsAsJSON: () => told };
    t.match(await new Registries(() => [strange, sound]).read(), { values: [4], failure: String });
  }
  t.match(await new Registries(() => [sound, twice]).read(), { values: [4], left: 1 });
  const many = new client.Registry();
  const gauge = new client.Gauge({ name: 'many', help: 'm', labelNames: ['i'], registers: [many] });
  for (let i = 0; i < 2_500; i++) gauge.set({ i }, i);
  const { values, left } = await new Registries(() => [many]).read();
  t.same([values.length, left], [2_000, 500]);
  const long = new client.Registry();
  const of = new client.Gauge({ name: 'long', help: 'l', labelNames: ['a'], registers: [long] });
  of.set({ a: 'x'.repeat(2_000) }, 1);
  of.set({ a: 'short' }, 2);
  t.match(await new Registries(() => [long]).read(), { values: [2], left: 1 });

  // Its own timer keeps no process alive.
  const alive = setInterval(() => {}, 1_000);
  t.teardown(() => clearInterval(alive));
  const silent = { getMetricsAsJSON: () => new Promise(() => {}) };
  const { application } = await measuring([], () => [silent]).read({ ...ALL, known: 0 });
  t.match(application, { version: 0, values: [], failure: 'they took longer than 400 ms' });
});
