import fc from 'fast-check';
import client from 'prom-client';
import t from 'tap';
import { ApplicationTallies } from '../../src/monitor/application.js';
import { tallies, told } from './support/told.js';

t.test('what a release has made another metric of does not count on in it', async (t) => {
  const [counted, measured, largest] = [new client.Registry(), new client.Registry(), new client.Registry()];
  new client.Counter({ name: 'stock', help: 's', registers: [counted] }).inc(5);
  new client.Gauge({ name: 'stock', help: 's', registers: [measured] }).set(2);
  new client.Counter({ name: 'stock', help: 's', aggregator: 'max', registers: [largest] }).inc(3);
  for (const bySlot of [false, true]) {
    const ours = tallies();
    const value = () =>
      ours
        .merge(bySlot)
        .families[0]?.parts.flat()
        .map(({ value }) => value);
    ours.heard(1, 0, await told(counted));
    ours.gone(1);
    t.same(value(), [5]);
    ours.heard(2, 0, await told(measured));
    t.same(value(), [2]);
    t.equal(ours.merge(bySlot).left, 0, 'what is over is not left out');
    ours.gone(2);
    ours.heard(3, 0, await told(largest));
    t.same(value(), [3]);
    ours.gone(3);
    ours.heard(4, 0, await told(counted));
    t.same(value(), [10], 'and goes on where it was taken back');
  }
});

t.test('a histogram is one whatever bounds the workers have', async (t) => {
  const observation = fc.integer({ min: 0, max: 12 });
  const worker = fc.record({ slot: fc.nat(2), layout: fc.nat(2), observed: fc.array(observation, { maxLength: 8 }) });
  const layouts = [
    [1, 5, 10],
    [0.5, 2, 10],
    [5, 11],
  ];
  await fc.assert(
    fc.asyncProperty(fc.array(worker, { minLength: 1, maxLength: 8 }), async (workers) => {
      let ours = tallies();
      for (const [i, { slot, layout, observed }] of workers.entries()) {
        const registry = new client.Registry();
        const common = { name: 'time_seconds', help: 't', labelNames: ['a'], registers: [registry] };
        const histogram = new client.Histogram({ ...common, buckets: layouts[layout] ?? [] });
        for (const one of observed) histogram.observe({ a: one % 2 ? 'odd' : 'even' }, one);
        ours.heard(i, slot, await told(registry));
      }
      let before = new Map<string, number>();
      const look = () => {
        const now = new Map<string, number>();
        for (const bySlot of [false, true]) {
          for (const { parts } of ours.merge(bySlot).families) areBuckets(parts.flat());
          for (const { parts } of ours.merge(bySlot).families) {
            for (const { suffix, labels, value } of parts.flat()) now.set(`${suffix} ${JSON.stringify(labels)}`, value);
          }
        }
        for (const [key, value] of before) if ((now.get(key) ?? 0) < value) throw new Error(`${key}: goes back`);
        before = now;
      };
      look();
      for (const i of workers.keys()) {
        ours.gone(i);
        look();
        ours = ApplicationTallies.fromJSON(JSON.parse(JSON.stringify(ours)), () => false);
        look();
      }
    }),
    { numRuns: 100 },
  );
  t.pass('no bucket has fewer than a lower one, and none goes back');
});

/** As Prometheus wants them: by their bounds, each with at least as many as the one before, and the last one with all. */
function areBuckets(
  samples: readonly { suffix: string; labels: readonly (readonly string[])[]; value: number }[],
): void {
  let [bound, below] = [Number.NEGATIVE_INFINITY, 0];
  for (const { suffix, labels, value } of samples) {
    const le = labels.find(([name]) => name === 'le')?.[1];
    if (suffix === '_count' && value !== below) throw new Error(`${below} of ${value}`);
    if (suffix !== '_bucket') [bound, below] = [Number.NEGATIVE_INFINITY, suffix === '_count' ? 0 : below];
    if (le === undefined) continue;
    const next = le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le);
    if (next <= bound || value < below) throw new Error(`${value} up to ${le} after ${below} up to ${bound}`);
    [bound, below] = [next, value];
  }
}
