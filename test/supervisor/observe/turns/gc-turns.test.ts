import t from 'tap';
import { gcWeight } from '../../../../dist/supervisor/observe/turns/gc-turns.js';

t.test('the collections of few workers are all observed', async (t) => {
  for (const [workers, processors] of [
    [0, 1],
    [1, 1],
    [16, 2],
    [64, 8],
  ] as const) {
    const crowd = { workers, processors, askedEveryMs: 1_000 };
    for (let now = 0; now < 60_000; now += 5_000) t.equal(gcWeight(3, crowd, now), 1);
  }
});

t.test('those of many count for the time in which they are not: as much as if all were observed', async (t) => {
  for (const [workers, processors, askedEveryMs, turnMs] of [
    [17, 2, 3_000, 10_000],
    [64, 2, 8_000, 16_000],
    [100, 1, 25_000, 50_000],
  ] as const) {
    const crowd = { workers, processors, askedEveryMs };
    const turns = Math.ceil(workers / (8 * processors));
    const ofEach = new Array<number>(workers).fill(0);
    for (let turn = 0; turn < turns; turn++) {
      // In a turn as in its first moment.
      const weights = ofEach.map((_, worker) => gcWeight(worker, crowd, turn * turnMs));
      t.same(
        weights,
        ofEach.map((_, worker) => gcWeight(worker, crowd, (turn + 1) * turnMs - 1)),
      );
      const observed = weights.filter((weight) => weight > 0).length;
      t.ok(observed <= 8 * processors && observed >= Math.floor(workers / turns), `${observed} at a time`);
      for (const [worker, weight] of weights.entries()) ofEach[worker] = (ofEach[worker] ?? 0) + weight;
    }
    t.same(new Set(ofEach), new Set([turns]), `${workers} workers: once in ${turns} turns, ${turns} times`);
  }
});

t.test(
  'nobody is passed by who hears of it only when asked, and none counts more than another in the end',
  async (t) => {
    for (const askedEveryMs of [1_000, 4_000, 8_000, 16_000, 32_000]) {
      const crowd = { workers: (8 * askedEveryMs) / 1_000, processors: 2, askedEveryMs };
      const weighedMs = new Array<number>(crowd.workers).fill(0);
      const all = 6_400_000;
      for (const worker of weighedMs.keys()) {
        const first = (askedEveryMs / crowd.workers) * worker;
        for (let now = first; now < all; now += askedEveryMs) {
          weighedMs[worker] = (weighedMs[worker] ?? 0) + gcWeight(worker, crowd, now) * askedEveryMs;
        }
      }
      const [least, most] = [Math.min(...weighedMs) / all, Math.max(...weighedMs) / all];
      t.ok(least > 0.75 && most < 1.25, `asked every ${askedEveryMs} ms: ${least} to ${most}`);
    }
  },
);
