import t from 'tap';
import { BUSY_MS, IDLE_MS, nextLook, SECOND_LOOK_MS } from '../../../src/core/steering/cadence.js';
import { quietQueue, sample } from '../../../src/core/steering/congestion.js';

const PATIENCE = { suspectAfterMs: 2, adoptAfterMs: 20 };

t.test('looks are rare while nothing comes, and frequent while something does', async (t) => {
  t.equal(nextLook([], Number.NEGATIVE_INFINITY, 0), IDLE_MS);
  t.equal(nextLook([quietQueue(0)], 900, 1_000), BUSY_MS);
  t.equal(nextLook([quietQueue(0)], 900, 5_000), IDLE_MS);
});

t.test('a queue that was just found non-empty is looked at again in a moment, once', async (t) => {
  const seen = sample(quietQueue(0), 1, 10, PATIENCE);
  t.equal(nextLook([quietQueue(0), seen], 10, 10), SECOND_LOOK_MS);
  t.equal(nextLook([sample(seen, 1, 12, PATIENCE)], 12, 12), BUSY_MS);
});

t.test('nobody is looked at in haste whose alarms are mostly false', async (t) => {
  const seen = sample({ ...quietQueue(0), falseAlarms: 2 }, 1, 10, PATIENCE);
  t.equal(nextLook([seen], 10, 10), BUSY_MS);
});

t.test('a suspect is looked at often, however long ago the last connection came', async (t) => {
  const suspect = sample(sample(quietQueue(0), 1, 10, PATIENCE), 1, 12, PATIENCE);
  t.equal(nextLook([suspect], 12, 60_000), BUSY_MS);
});
