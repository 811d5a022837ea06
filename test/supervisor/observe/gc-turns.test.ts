import t from 'tap';
import { gcWeight } from '../../../dist/supervisor/observe/gc-turns.js';

t.test('the collections of few workers are all observed', async (t) => {
  for (const [workers, processors] of [
    [0, 1],
    [1, 1],
    [16, 2],
    [64, 8],
  ] as const) {
    for (let now = 0; now < 60_000; now += 5_000) t.equal(gcWeight(3, workers, processors, now), 1);
  }
});

t.test('those of many count for the time in which they are not: as much as if all were observed', async (t) => {
  for (const [workers, processors] of [
    [17, 2],
    [64, 2],
    [100, 1],
  ] as const) {
    const turns = Math.ceil(workers / (8 * processors));
    const ofEach = new Array<number>(workers).fill(0);
    for (let turn = 0; turn < turns; turn++) {
      // In a turn as in its first moment.
      const weights = ofEach.map((_, worker) => gcWeight(worker, workers, processors, turn * 10_000));
      t.same(
        weights,
        ofEach.map((_, worker) => gcWeight(worker, workers, processors, turn * 10_000 + 9_999)),
      );
      const observed = weights.filter((weight) => weight > 0).length;
      t.ok(observed <= 8 * processors && observed >= Math.floor(workers / turns), `${observed} at a time`);
      for (const [worker, weight] of weights.entries()) ofEach[worker] = (ofEach[worker] ?? 0) + weight;
    }
    t.same(new Set(ofEach), new Set([turns]), `${workers} workers: once in ${turns} turns, ${turns} times`);
  }
});
