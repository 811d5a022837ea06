import t from 'tap';
import { BUSY_MS, nextLook, SECOND_LOOK_MS } from '../../../src/core/steering/cadence.js';
import { answered, quietQueue, sample } from '../../../src/core/steering/congestion.js';

const PATIENCE = { suspectAfterMs: 2, adoptAfterMs: 20, sticky: false };
const NEVER = { lastAt: Number.NEGATIVE_INFINITY, beforeAt: Number.NEGATIVE_INFINITY };

t.test('while nothing comes nothing is looked at: the next connection is waited for', async (t) => {
  t.equal(nextLook([], NEVER, PATIENCE, 0), null);
  t.equal(nextLook([quietQueue(0)], NEVER, PATIENCE, 5_000), null);
});

t.test('connections that come now and then are waited for one by one', async (t) => {
  t.equal(nextLook([quietQueue(0)], { lastAt: 990, beforeAt: 900 }, PATIENCE, 1_000), null);
});

t.test('while many come the queues are looked at again and again, and for a moment longer', async (t) => {
  const many = { lastAt: 990, beforeAt: 985 };
  t.equal(nextLook([quietQueue(0)], many, PATIENCE, 1_000), BUSY_MS);
  t.equal(nextLook([quietQueue(0)], many, PATIENCE, 1_080), BUSY_MS);
  t.equal(nextLook([quietQueue(0)], many, PATIENCE, 1_100), null);
});

t.test('a queue that was just found non-empty is looked at again in a moment, once', async (t) => {
  const seen = sample(quietQueue(0), 1, 10, PATIENCE);
  t.equal(nextLook([quietQueue(0), seen], { ...NEVER, lastAt: 10 }, PATIENCE, 10), SECOND_LOOK_MS);
  t.equal(nextLook([sample(seen, 1, 12, PATIENCE)], { ...NEVER, lastAt: 12 }, PATIENCE, 12), BUSY_MS);
  t.equal(nextLook([sample(seen, 0, 12, PATIENCE)], { ...NEVER, lastAt: 10 }, PATIENCE, 12), null);
});

t.test('nobody is looked at in haste whose alarms are mostly false', async (t) => {
  const seen = sample({ ...quietQueue(0), falseAlarms: 2 }, 1, 10, PATIENCE);
  t.equal(nextLook([seen], { ...NEVER, lastAt: 10 }, PATIENCE, 10), BUSY_MS);
});

t.test(
  'a suspect is looked at until it has answered and its queue is short, however long ago the last one came',
  async (t) => {
    let queue = quietQueue(0);
    for (let now = 10; now <= 40; now += 2) queue = sample(queue, 1, now, PATIENCE);
    const seen = { ...NEVER, lastAt: 40 };
    t.equal(nextLook([queue], seen, PATIENCE, 60_000), BUSY_MS);
    queue = answered(queue, 60_000);
    t.equal(nextLook([queue], seen, PATIENCE, 60_001), BUSY_MS);
    t.equal(nextLook([sample(queue, 0, 60_005, PATIENCE)], seen, PATIENCE, 60_006), null);
  },
);
