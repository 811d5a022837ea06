import t from 'tap';
import { backoff, restartIntensity } from '../../../src/core/restarts/restart-policy.js';

const policy = { backoffBaseMs: 100, backoffMaxMs: 1_500, backoffFactor: 2 };

t.test('the delay before a replacement doubles with each attempt and is capped', async (t) => {
  const table: [attempts: number, chance: number, ms: number][] = [
    [1, 0, 50],
    [1, 0.5, 75],
    [1, 1, 100],
    [2, 1, 200],
    [3, 1, 400],
    [4, 1, 800],
    [5, 1, 1_500],
    [6, 0, 750],
    [2_000, 1, 1_500],
  ];
  for (const [attempts, chance, ms] of table) {
    t.equal(backoff(attempts, policy, chance), ms, `attempt ${attempts} with chance ${chance}`);
  }
});

t.test('a factor of 1 keeps the delay the same', async (t) => {
  for (const attempts of [1, 2, 9]) t.equal(backoff(attempts, { ...policy, backoffFactor: 1 }, 1), 100);
});

t.test('crashes are too many when more than maxRestarts fall into the window', async (t) => {
  const intensity = { maxRestarts: 2, restartWindowMs: 1_000 };
  const table: [crashes: number[], now: number, recent: number[], exceeded: boolean][] = [
    [[], 5_000, [], false],
    [[4_500, 5_000], 5_000, [4_500, 5_000], false],
    [[4_500, 4_900, 5_000], 5_000, [4_500, 4_900, 5_000], true],
    [[4_000, 4_900, 5_000], 5_000, [4_900, 5_000], false],
    [[4_001, 4_900, 5_000], 5_000, [4_001, 4_900, 5_000], true],
    [[1, 2, 3, 4], 5_000, [], false],
  ];
  for (const [crashes, now, recent, exceeded] of table) {
    t.same(restartIntensity(crashes, now, intensity), { crashes: recent, exceeded }, `${crashes} at ${now}`);
  }
});

t.test('without any restart allowed the first crash is one too many', async (t) => {
  t.equal(restartIntensity([10], 10, { maxRestarts: 0, restartWindowMs: 1 }).exceeded, true);
});
