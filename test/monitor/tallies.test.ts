import fc from 'fast-check';
import t from 'tap';
import { AT, addTo, gcOf, latencyOf, newRow, rowOf, Tallies } from '../../src/monitor/tallies.js';
import { measuredOf } from './support/measured.js';

t.test('what a worker measures as a row of numbers', async (t) => {
  const row = rowOf(measuredOf());
  t.equal(row[AT.requests], 10);
  t.equal(row[AT.statuses + 5], 1);
  t.equal(latencyOf(row).length, 80);
  t.same([latencyOf(row)[1], latencyOf(row)[79]], [2, 3]);
  t.equal(row[AT.tookMs], 500);
  t.same(
    [AT.http1, AT.http2, AT.other].map((at) => row[at]),
    [4, 2, 1],
  );
  t.same(
    [AT.receivedBytes, AT.sentBytes, AT.cpuUserMs].map((at) => row[at]),
    [1_000, 2_000, 1_500],
  );
  t.same(
    [AT.cpuSystemMs, AT.loopActiveMs, AT.loopIdleMs].map((at) => row[at]),
    [500, 250, 750],
  );
  t.match(gcOf(row, 'minor'), { count: 3, ms: 30 });
  t.same([...gcOf(row, 'minor').buckets], [1, 2, 0, 0]);
  t.equal(gcOf(row, 'weakcb').count, 0);
});

t.test('more of anything than there is room for runs into nothing else', async (t) => {
  const row = rowOf(measuredOf({ latency: new Array(128).fill(9), statuses: new Array(9).fill(1), requests: 5 }));
  t.equal(row[AT.tookMs], 500);
  t.equal(latencyOf(row)[0], 9);
});

t.test('a successor counts on from where the worker before it ended, and two of a slot are added up', async (t) => {
  const tallies = new Tallies();
  const of = (slot: number) => tallies.bySlot().get(slot)?.[AT.requests];
  tallies.heard(1, 0, rowOf(measuredOf({ requests: 10 })));
  t.equal(of(0), 10);
  tallies.heard(2, 0, rowOf(measuredOf({ requests: 3 })));
  tallies.heard(3, 1, rowOf(measuredOf({ requests: 100 })));
  t.equal(of(0), 13);
  tallies.gone(1);
  tallies.gone(1);
  t.equal(of(0), 13);
  tallies.heard(2, 0, rowOf(measuredOf({ requests: 4 })));
  t.equal(of(0), 14);
  t.equal(of(1), 100);
  tallies.gone(3);
  t.equal(of(1), 100, 'also of a slot that is no more');
});

t.test('nothing ever goes back, whatever workers say and in whichever order', async (t) => {
  const event = fc.record({
    worker: fc.nat(5),
    requests: fc.nat(1_000),
    gone: fc.boolean(),
  });
  const property = fc.property(fc.array(event, { maxLength: 60 }), (events) => {
    const tallies = new Tallies();
    let incarnation = 0;
    let last: ReadonlyMap<number, Float64Array> = new Map();
    for (const { worker, requests, gone } of events) {
      if (gone) tallies.gone(worker + 10 * incarnation++);
      else tallies.heard(worker + 10 * incarnation, worker % 2, rowOf(measuredOf({ requests })));
      const now = tallies.bySlot();
      for (const [slot, row] of last)
        for (const [i, value] of row.entries()) if ((now.get(slot)?.[i] ?? -1) < value) return false;
      // The total is kept beside the rows.
      const sum = newRow();
      for (const row of now.values()) addTo(sum, row);
      if (!sum.every((value, i) => value === tallies.total()[i])) return false;
      last = now;
    }
    return true;
  });
  t.doesNotThrow(() => fc.assert(property));
});

t.test('a supervisor that takes over counts on from where the one before it was', async (t) => {
  const before = new Tallies();
  before.heard(1, 0, rowOf(measuredOf({ requests: 10 })));
  before.gone(1);
  before.heard(2, 0, rowOf(measuredOf({ requests: 7 })));
  before.heard(3, 4, rowOf(measuredOf({ requests: 1 })));
  const data = JSON.parse(JSON.stringify(before));
  const after = Tallies.fromJSON(data);
  t.same(after.bySlot(), before.bySlot());
  t.same(JSON.parse(JSON.stringify(after)), data);
  after.heard(2, 0, rowOf(measuredOf({ requests: 9 })));
  after.gone(3);
  const of = (slot: number) => after.bySlot().get(slot)?.[AT.requests];
  t.equal(after.total()[AT.requests], 20);
  t.same([of(0), of(4)], [19, 1], 'a worker that came along grows, one that did not is kept');
});

t.test(
  'what is written down by another version, or is nonsense, is as if it were not there; there is little of it',
  async (t) => {
    const tallies = new Tallies();
    for (let worker = 0; worker < 3_000; worker++) {
      tallies.heard(worker, worker % 256, rowOf(measuredOf({ requests: 10 })));
      if (worker < 2_000) tallies.gone(worker);
    }
    const data = tallies.toJSON();
    t.ok(JSON.stringify(data).length < 600_000, `${JSON.stringify(data).length} bytes`);
    const row = data.kept[0]?.[1] ?? [];
    for (const wrong of [
      ...[null, 7, 'x', [], {}, { format: 1 }, { ...data, format: 2 }, { ...data, live: 7 }],
      {
        format: 1,
        live: [[1, 0, [1]], [1, -1, row], ['1', 0, row], null, [1, 0]],
        kept: [
          [0, [...row.slice(1), -1]],
          [0.5, row],
        ],
      },
      { format: 1, live: [[1, 0, row.map(() => '1')]], kept: [] },
    ])
      t.equal(Tallies.fromJSON(wrong).bySlot().size, 0, JSON.stringify(wrong)?.slice(0, 60));
    const many = Array.from({ length: 5_000 }, (_none, slot) => [slot, row]);
    t.equal(Tallies.fromJSON({ format: 1, live: [], kept: many }).bySlot().size, 1_024);
  },
);
