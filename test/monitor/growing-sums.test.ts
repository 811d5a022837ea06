import fc from 'fast-check';
import t from 'tap';
import { ApplicationTallies } from '../../src/monitor/application.js';
import { GrowingSums } from '../../src/monitor/growing-sums.js';
import { rowOf, Tallies } from '../../src/monitor/tallies.js';
import { measuredOf } from './support/measured.js';

const SCHEMA = JSON.stringify([
  { name: 'paid_total', help: 'h', type: 'counter', aggregator: 'sum', series: [['paid_total', {}]] },
]);
/** Workers in three slots, in the order in which they end. */
const ends = fc
  .array(fc.record({ slot: fc.nat(2), value: fc.double({ min: 0, max: 1e6, noNaN: true }) }), {
    minLength: 2,
    maxLength: 12,
  })
  .chain((workers) =>
    fc.tuple(
      fc.constant(workers),
      fc.shuffledSubarray(
        workers.map((_worker, i) => i),
        { minLength: workers.length },
      ),
    ),
  );

t.test("a sum of an application's fractions does not go back when workers end, in whatever order", async (t) => {
  const property = fc.property(ends, ([workers, order]) => {
    let tallies = new ApplicationTallies(() => false);
    for (const [i, { slot, value }] of workers.entries()) {
      const numbers = { values: [value], left: 0, failure: null };
      tallies.heard(i + 1, slot, { version: 1, schema: SCHEMA, ...numbers });
    }
    const values = (bySlot: boolean) =>
      new Map(
        tallies
          .merge(bySlot)
          .families[0]?.parts.flat()
          .map(({ labels, value }) => [JSON.stringify(labels), Number(value)]),
      );
    const before = [values(false), values(true)];
    for (const i of order) {
      tallies.gone(i + 1);
      // A supervisor that takes over counts on, too.
      if (i % 3 === 0) tallies = ApplicationTallies.fromJSON(JSON.parse(JSON.stringify(tallies)), () => false);
      for (const [at, known] of before.entries()) {
        for (const [labels, value] of values(at === 1)) {
          if (value < (known.get(labels) ?? 0)) throw new Error(`${labels}: ${value} after ${known.get(labels)}`);
          known.set(labels, value);
        }
      }
    }
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 500 }));
});

t.test('times of workers add up to the same in whatever order they end', async (t) => {
  const property = fc.property(ends, ([workers, order]) => {
    const tallies = new Tallies();
    for (const [i, { slot, value }] of workers.entries()) {
      tallies.heard(i + 1, slot, rowOf(measuredOf({ tookMs: value, cpuUserMs: value / 3, loopActiveMs: value / 7 })));
    }
    const before = [tallies.total(), ...tallies.bySlot().values()].map((row) => [...row]);
    for (const i of order) {
      tallies.gone(i + 1);
      const after = [tallies.total(), ...tallies.bySlot().values()].map((row) => [...row]);
      if (JSON.stringify(after) !== JSON.stringify(before)) throw new Error(`${after[0]} after ${before[0]}`);
    }
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 200 }));
});

t.test('only rounding is held back: what is less by more has begun anew, and what grows is told', async (t) => {
  const sums = new GrowingSums();
  t.equal(sums.tell('a', 3.5), 3.5);
  t.equal(sums.tell('a', 3.4999999999999996), 3.5);
  t.same(sums.ahead, [['a', 3.5]]);
  const next = new GrowingSums();
  next.restore(JSON.parse(JSON.stringify(sums.ahead)));
  t.equal(next.tell('a', 3.4999999999999996), 3.5, 'by the supervisor that takes over as well');
  t.equal(sums.tell('a', 3.6), 3.6);
  t.same(sums.ahead, []);
  t.equal(sums.tell('a', 3.5), 3.5);
  t.equal(sums.tell('a', -1), -1);
  t.equal(sums.tell('a', -2), -2);
  for (const nonsense of [null, 'x', [1], [['a']], [['a', 'b']], [[1, 2]], [['a', null]]]) next.restore(nonsense);
  t.equal(next.tell('b', 1), 1);
});

t.test('what is told of no more is forgotten', async (t) => {
  const sums = new GrowingSums();
  for (let i = 0; i < 1_000; i++) {
    sums.tell(`c{user="${i}"}`, 1 / 3);
    sums.tell(`c{user="${i}"}`, 1 / 3 - 2 ** -54);
    sums.retain(new Set([`c{user="${i}"}`]));
  }
  t.same(sums.ahead, [['c{user="999"}', 1 / 3]]);
  t.equal(sums.tell('c{user="0"}', 1 / 3 - 2 ** -54), 1 / 3 - 2 ** -54);
});
