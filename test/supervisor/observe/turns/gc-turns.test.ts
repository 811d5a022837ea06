import t from 'tap';
import { GcTurns } from '../../../../dist/supervisor/observe/turns/gc-turns.js';

const numbers = (count: number) => Array.from({ length: count }, (_none, i) => i + 1);

/** For how long each was observed, every moment as often as it counts, and how many were at most at a time. */
function ask(turns: GcTurns, workers: number, everyMs: number) {
  const forMs = 640 * everyMs;
  const weighedMs = new Map<number, number>();
  let most = 0;
  for (let now = 0; now < forMs; now += everyMs) {
    let observed = 0;
    for (const worker of numbers(workers)) {
      const weight = turns.weight(worker, workers, now);
      if (weight > 0) observed += 1;
      weighedMs.set(worker, (weighedMs.get(worker) ?? 0) + weight * everyMs);
    }
    most = Math.max(most, observed);
  }
  return { shares: [...weighedMs.values()].map((ms) => ms / forMs), most };
}

t.test('the collections of few workers are all observed', async (t) => {
  for (const [workers, processors] of [
    [1, 1],
    [16, 2],
    [64, 8],
  ] as const) {
    const turns = new GcTurns(processors);
    for (let now = 0; now < 60_000; now += 5_000)
      for (const worker of numbers(workers)) t.equal(turns.weight(worker, workers, now), 1);
  }
});

t.test('of many, some at a time, each as much as if all were: whenever it is asked', async (t) => {
  for (const workers of [17, 32, 40, 64, 128, 256]) {
    for (const everyS of [1, 4, 8, 15, 20, 30, 60]) {
      const { shares, most } = ask(new GcTurns(2), workers, everyS * 1_000);
      const [least, largest] = [Math.min(...shares), Math.max(...shares)];
      t.ok(least > 0.95 && largest < 1.05, `${workers} workers every ${everyS} s: ${least} to ${largest}`);
      t.ok(most <= 8, `${most} at a time`);
    }
  }
});

t.test('when there are more or fewer workers, what was observed before is no debt', async (t) => {
  const turns = new GcTurns(1);
  for (let now = 0; now < 3_600_000; now += 1_000) turns.weight(1, 8, now);
  const weights = [0, 1, 2, 3, 4, 5].map((second) => turns.weight(1, 16, 3_600_000 + second * 1_000));
  t.same(weights, [0, 4, 0, 0, 0, 4]);
  t.equal(turns.weight(1, 8, 3_606_000), 1);
  turns.weight(2, 16, 3_606_000);
  turns.gone(2);
  t.equal(turns.weight(2, 8, 9_000_000), 1, 'the number of one that has gone is that of nobody');
});

t.test('those that were all observed begin their turns one after the other', async (t) => {
  const turns = new GcTurns(2);
  const observed = (workers: number, now: number) =>
    numbers(workers).filter((worker) => turns.weight(worker, workers, now) > 0).length;
  t.equal(observed(16, 0), 16);
  for (let second = 1; second < 30; second++) {
    const found = observed(17, second * 1_000);
    t.ok(found > 0 && found <= 8, `${found} of 17 after ${second} s`);
  }
  t.equal(observed(16, 30_000), 16, 'and all of them at once when they are few again');
});

t.test('one that would have waited for many turns waits for few when there are fewer', async (t) => {
  const turns = new GcTurns(1);
  t.equal(turns.weight(31, 128, 0), 0);
  const weights = [1, 2, 3].map((second) => turns.weight(31, 9, second * 1_000));
  t.ok(weights.includes(3), String(weights));
});
