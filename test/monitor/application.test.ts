import assert from 'node:assert/strict';
import fc from 'fast-check';
import client from 'prom-client';
import t from 'tap';
import { ApplicationTallies } from '../../src/monitor/application.js';
import { textOf } from '../../src/monitor/formats/text-format.js';
import { tallies, told } from './support/told.js';

const { aggregate } = client.AggregatorRegistry;

/** Series and their values, in any order. */
function seriesOf(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .sort();
}

/** prom-client leaves labels in the order in which they were given, and needs none. */
function sorted(text: string): string[] {
  return seriesOf(
    text.replace(
      /\{(.*)\}/g,
      (_all, labels: string) => `{${(labels.match(/\w+="(?:[^"\\]|\\.)*"/g) ?? []).sort().join(',')}}`,
    ),
  );
}

const AGGREGATORS = ['sum', 'first', 'min', 'max', 'average', 'omit'] as const;

t.test('it merges as prom-client does, whatever the kind and the aggregator', async (t) => {
  const value = fc.integer({ min: 0, max: 50 });
  const label = fc.constantFrom('a', 'b', 'with "quotes"', 'back\\slash', 'line\nbreak');
  const worker = fc.array(fc.record({ aggregator: fc.nat(5), label, value }), { minLength: 1, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(fc.array(worker, { minLength: 1, maxLength: 4 }), async (workers) => {
      const registries = workers.map((samples) => {
        const registry = new client.Registry();
        const common = { help: 'with "quotes", a \\ and\na line', labelNames: ['z', 'label'], registers: [registry] };
        const gauges = AGGREGATORS.map(
          (aggregator) => new client.Gauge({ ...common, name: `g_${aggregator}`, aggregator }),
        );
        const counter = new client.Counter({ ...common, name: 'c_total' });
        const histogram = new client.Histogram({ ...common, name: 'h_seconds', buckets: [1, 10] });
        const summary = new client.Summary({ ...common, name: 's_seconds', percentiles: [0.5] });
        for (const { aggregator, label, value } of samples) {
          const labels = { z: '1', label };
          gauges[aggregator]?.set(labels, value);
          counter.inc(labels, value);
          histogram.observe(labels, value);
          summary.observe(labels, value);
        }
        return registry;
      });
      const ours = tallies();
      for (const [i, registry] of registries.entries()) ours.heard(i, i, await told(registry));
      const theirs = await aggregate(
        await Promise.all(registries.map((one) => one.getMetricsAsJSON() as never)),
      ).metrics();
      const text = textOf(ours.merge(false).families, false);
      // Of one that has no values they tell the name, and of help the same.
      const named = (lines: string[]) => lines.filter((line) => !line.startsWith('#'));
      assert.deepEqual(named(sorted(text)), named(sorted(theirs)));
      return named(sorted(text)).length > 0;
    }),
    { numRuns: 60 },
  );
  t.pass();
});

t.test('counters and histograms of a worker that has ended count on, gauges go with it', async (t) => {
  const registry = new client.Registry();
  const counter = new client.Counter({ name: 'orders_total', help: 'o', labelNames: ['kind'], registers: [registry] });
  new client.Gauge({ name: 'stock', help: 's', registers: [registry] }).set(5);
  new client.Histogram({ name: 'time', help: 't', buckets: [1], registers: [registry] }).observe(0.5);
  new client.Counter({ name: 'newest', help: 'n', aggregator: 'max', registers: [registry] }).inc(9);
  counter.inc({ kind: 'a' }, 10);
  const ours = tallies();
  const text = () => textOf(ours.merge(false).families, false);
  ours.heard(1, 0, await told(registry));
  ours.gone(1);
  ours.gone(1);
  t.match(text(), 'orders_total{kind="a"} 10\n');
  t.match(text(), 'time_bucket{le="+Inf"} 1\n');
  t.notMatch(text(), /^(?:stock|newest) /m);
  registry.resetMetrics();
  counter.inc({ kind: 'a' }, 2);
  ours.heard(2, 1, await told(registry));
  t.match(text(), 'orders_total{kind="a"} 12\n');
  t.match(text(), /^time_count 1$/m);
  const { families } = ours.merge(true);
  t.match(textOf(families, false), 'orders_total{kind="a",slot="0"} 10\n');
  t.match(textOf(families, false), 'orders_total{kind="a",slot="1"} 2\n');
});

t.test('only numbers come as long as the description is the same', async (t) => {
  const ours = tallies();
  const registry = new client.Registry();
  const gauge = new client.Gauge({ name: 'stock', help: 's', registers: [registry] });
  gauge.set(1);
  ours.heard(1, 0, await told(registry, 3));
  t.equal(ours.version(1), 3);
  t.equal(ours.version(2), 0);
  ours.heard(1, 0, { version: 3, values: [8], left: 0, failure: null });
  t.match(textOf(ours.merge(false).families, false), 'stock 8\n');
  for (const answer of [
    { version: 4, values: [9], left: 0, failure: null },
    { version: 3, values: [], left: 0, failure: null },
    { version: 0, values: [], left: 0, failure: 'too slow' },
  ]) {
    ours.heard(1, 0, answer);
    t.match(textOf(ours.merge(false).families, false), 'stock 8\n', 'what does not belong together is not told');
  }
  ours.heard(1, 0, { version: 3, values: [null], left: 0, failure: null });
  t.match(textOf(ours.merge(false).families, false), 'stock NaN\n');
});

t.test('a name of holdfast is taken, a changed type is left out, and both are counted', async (t) => {
  const [one, other] = [new client.Registry(), new client.Registry()];
  new client.Gauge({ name: 'holdfast_size', help: 'h', registers: [one] }).set(1);
  new client.Gauge({ name: 'stock', help: 's', registers: [one] }).set(1);
  new client.Counter({ name: 'stock', help: 's', labelNames: ['a'], registers: [other] }).inc({ a: 'b' });
  const ours = tallies();
  ours.heard(1, 0, await told(one));
  ours.heard(2, 1, await told(other));
  const { families, left, series } = ours.merge(false);
  t.same([left, series], [2, 1]);
  t.equal(textOf(families, false), '# HELP stock s\n# TYPE stock gauge\nstock 1\n');
});

t.test('a label that is called slot is kept under another name', async (t) => {
  const registry = new client.Registry();
  new client.Gauge({ name: 'stock', help: 's', labelNames: ['slot'], registers: [registry] }).set({ slot: 'x' }, 1);
  const ours = tallies();
  ours.heard(1, 4, await told(registry));
  t.match(textOf(ours.merge(true).families, false), 'stock{exported_slot="x",slot="4"} 1\n');
});

t.test('no label is there twice, whatever those of the application are called', async (t) => {
  const registry = new client.Registry();
  const labelNames = ['slot', 'exported_slot'];
  new client.Gauge({ name: 'stock', help: 's', labelNames, registers: [registry] }).set(
    { slot: 'x', exported_slot: 'y' },
    1,
  );
  const ours = tallies();
  ours.heard(1, 4, await told(registry));
  const text = textOf(ours.merge(true).families, false);
  t.match(text, 'stock{exported_slot="y",exported_exported_slot="x",slot="4"} 1\n');
});

t.test('what is no description of metrics is as if it had not come', async (t) => {
  const sound = { name: 'a', help: 'h', type: 'gauge', aggregator: 'sum', series: [['a', { b: 'c' }]] };
  const wrong: unknown[] = [
    'nonsense',
    null,
    [null],
    [{ ...sound, name: 'a b' }],
    [{ ...sound, name: 'a\n# TYPE x gauge' }],
    [{ ...sound, type: 'unknown' }],
    [{ ...sound, help: 7 }],
    [{ ...sound, series: [['a{x="y"}', {}]] }],
    [{ ...sound, series: [['other', {}]] }],
    [{ ...sound, series: [['a', { 'b"': 'c' }]] }],
    [{ ...sound, series: [['a', { b: 7 }]] }],
    [{ ...sound, series: 'a' }],
  ];
  for (const [i, schema] of [sound, ...wrong].entries()) {
    const ours = tallies();
    const text = i === 0 ? JSON.stringify([schema]) : schema === 'nonsense' ? 'nonsense' : JSON.stringify(schema);
    ours.heard(1, 0, { version: 1, schema: text, values: [1], left: 0, failure: null });
    t.equal(ours.merge(false).series, i === 0 ? 1 : 0, text);
  }
});

t.test('what is kept has a limit, which is told', async (t) => {
  const ours = tallies();
  for (let worker = 1; worker <= 11; worker++) {
    const series = Array.from({ length: 2_000 }, (_none, i) => ['c_total', { user: `${worker}-${i}` }]);
    const schema = JSON.stringify([{ name: 'c_total', help: 'c', type: 'counter', aggregator: 'sum', series }]);
    ours.heard(worker, 0, { version: 1, schema, values: series.map(() => 1), left: 0, failure: null });
    ours.gone(worker);
  }
  const { series, left } = ours.merge(false);
  t.same([series, left], [20_000, 2_000]);
});

t.test('a supervisor that takes over counts on, and needs no description anew', async (t) => {
  const registry = new client.Registry();
  const common = { help: 'h', registers: [registry] };
  const orders = new client.Counter({ ...common, name: 'orders_total', labelNames: ['kind'] });
  new client.Histogram({ ...common, name: 'time_seconds', buckets: [1, 10] }).observe(3);
  new client.Gauge({ ...common, name: 'stock', aggregator: 'max' }).set(4);
  orders.inc({ kind: 'with "quotes"' }, 5);
  const before = tallies();
  before.heard(1, 0, await told(registry));
  before.gone(1);
  before.heard(2, 1, await told(registry, 3));
  const data = JSON.parse(JSON.stringify(before));
  const after = ApplicationTallies.fromJSON(data, () => false);
  for (const bySlot of [false, true]) t.same(after.merge(bySlot), before.merge(bySlot));
  t.same(JSON.parse(JSON.stringify(after)), data);
  t.equal(after.version(2), 3);
  orders.inc({ kind: 'with "quotes"' }, 2);
  const { schema: _known, ...numbers } = await told(registry, 3);
  after.heard(2, 1, numbers);
  after.gone(2);
  t.ok(seriesOf(textOf(after.merge(false).families, false)).includes('orders_total{kind="with \\"quotes\\""} 12'));
});

t.test('what another version has written down, or is nonsense, is as if it were not there', async (t) => {
  const of = (data: unknown) => ApplicationTallies.fromJSON(data, () => false).merge(false);
  const schema = JSON.stringify([
    { name: 'a_total', help: 'h', type: 'counter', aggregator: 'sum', series: [['a_total', {}]] },
  ]);
  const data = { format: 1, descriptions: [schema], live: [], kept: [{ slot: 0, schema, values: [7] }], keptLeft: 2 };
  t.match(of(data), { series: 1, left: 2 });
  const live = { worker: 1, slot: 0, description: 0, version: 1, values: [1], left: 0 };
  t.match(of({ ...data, live: [live] }).families, [{ parts: [[{ value: 8 }]] }]);
  for (const wrong of [
    ...[null, 7, 'x', [], {}, { format: 1 }, { ...data, format: 2 }, { ...data, kept: 7 }],
    {
      ...data,
      kept: [null, { slot: -1, schema, values: [7] }, { slot: 0, schema: 'x', values: [7] }, { slot: 0, schema }],
    },
    { ...data, kept: [{ slot: 0, schema, values: ['7'] }] },
    {
      ...data,
      kept: [],
      live: [null, { ...live, description: 9 }, { ...live, version: 'x' }, { ...live, values: 7 }],
    },
  ])
    t.same(of(wrong).families, [], JSON.stringify(wrong)?.slice(0, 60));
});

t.test('however much was kept, it is written down whole, and no more than that', async (t) => {
  const before = tallies();
  for (let worker = 0; worker < 6; worker++) {
    const families = Array.from({ length: 3_900 }, (_none, i) => ({
      ...{ name: `m${worker}_${i}_total`, help: 'h', type: 'counter', aggregator: 'sum' },
      series: [[`m${worker}_${i}_total`, {}]],
    }));
    const values = families.map(() => 1);
    before.heard(worker, 0, { version: 1, schema: JSON.stringify(families), values, left: 0, failure: null });
    before.gone(worker);
  }
  const text = JSON.stringify(before);
  t.ok(text.length < 5_000_000, `${text.length} bytes`);
  const after = ApplicationTallies.fromJSON(JSON.parse(text), () => false).merge(false);
  t.match(after, { series: 20_000, left: 3_400 });
  t.same(after, before.merge(false));
});
