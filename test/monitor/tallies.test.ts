import fc from 'fast-check';
import t from 'tap';
import { AT, gcOf, latencyOf, rowOf, Tallies } from '../../src/monitor/tallies.js';
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
  const happening = fc.record({
    worker: fc.nat(5),
    requests: fc.nat(1_000),
    gone: fc.boolean(),
  });
  const property = fc.property(fc.array(happening, { maxLength: 60 }), (happenings) => {
    const tallies = new Tallies();
    let incarnation = 0;
    let last = new Map<number, Float64Array>();
    for (const { worker, requests, gone } of happenings) {
      if (gone) tallies.gone(worker + 10 * incarnation++);
      else tallies.heard(worker + 10 * incarnation, worker % 2, rowOf(measuredOf({ requests })));
      const now = tallies.bySlot();
      for (const [slot, row] of last)
        for (const [i, value] of row.entries()) if ((now.get(slot)?.[i] ?? -1) < value) return false;
      last = now;
    }
    return true;
  });
  t.doesNotThrow(() => fc.assert(property));
});
