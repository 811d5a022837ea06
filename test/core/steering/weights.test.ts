import fc from 'fast-check';
import t from 'tap';
import { nextWarmthStep, type SlotFacts, warmth, weigh } from '../../../src/core/steering/weights.js';

const READY: SlotFacts = {
  serving: 'ready',
  retired: false,
  avoided: false,
  queue: 0,
  connections: 0,
  warmth: 1,
  share: null,
};
const slot = (change: Partial<SlotFacts> = {}): SlotFacts => ({ ...READY, ...change });

const anySlot: fc.Arbitrary<SlotFacts> = fc.record({
  serving: fc.constantFrom('ready', 'starting', 'draining', 'none'),
  retired: fc.boolean(),
  avoided: fc.boolean(),
  queue: fc.double({ min: 0, max: 4_096, noNaN: true }),
  connections: fc.option(fc.nat(100_000)),
  warmth: fc.double({ min: 0, max: 1, noNaN: true }),
  share: fc.option(fc.double({ min: 0.001, max: 0.999, noNaN: true })),
});

t.test('slots of which there is nothing to be said get the same', async (t) => {
  t.equal(new Set(weigh([slot(), slot(), slot(), slot()])).size, 1);
});

t.test('slots in trouble get nothing as long as one is well', async (t) => {
  const weights = weigh([
    slot(),
    slot({ avoided: true }),
    slot({ serving: 'starting' }),
    slot({ serving: 'draining' }),
    slot({ serving: 'none' }),
    slot({ retired: true }),
  ]);
  t.ok((weights[0] ?? 0) > 0);
  t.same(weights.slice(1), [0, 0, 0, 0, 0]);
});

t.test('where all are in trouble the least bad ones get everything', async (t) => {
  const order = [
    slot({ avoided: true }),
    slot({ serving: 'starting' }),
    slot({ serving: 'draining' }),
    slot({ serving: 'none' }),
    slot({ retired: true }),
  ];
  for (let i = 0; i < order.length; i++) {
    const weights = weigh(order.slice(i));
    t.ok((weights[0] ?? 0) > 0);
    t.same(new Set(weights.slice(1)), new Set(i === order.length - 1 ? [] : [0]));
  }
});

t.test('whatever is the case: whole numbers, one for each, never all 0, and small enough for the kernel', async () => {
  fc.assert(
    fc.property(fc.array(anySlot, { minLength: 1, maxLength: 256 }), (facts) => {
      const weights = weigh(facts);
      const sum = weights.reduce((total, weight) => total + weight, 0);
      return (
        weights.length === facts.length &&
        weights.every((w) => Number.isInteger(w) && w >= 0) &&
        sum > 0 &&
        sum < 2 ** 31
      );
    }),
  );
});

t.test('whatever is the case: who is worse off never gets more', async () => {
  fc.assert(
    fc.property(fc.array(anySlot, { minLength: 1, maxLength: 8 }), fc.nat(5), (others, extra) => {
      const better = slot({ connections: 10 });
      const worse = slot({ connections: 10 + extra * 40, queue: extra, warmth: 1 - extra / 10, avoided: extra === 5 });
      const [one = 0, other = 0] = weigh([better, worse, ...others.map((facts) => ({ ...facts, share: null }))]);
      return one >= other;
    }),
  );
});

t.test('a longer queue gets less, in comparison', async (t) => {
  const [idle = 0, busy = 0] = weigh([slot(), slot({ queue: 8 })]);
  t.ok(idle >= 8 * busy);
  t.equal(new Set(weigh([slot({ queue: 40 }), slot({ queue: 44 })])).size, 1, 'alike where all are equally loaded');
});

t.test('who has fewer open connections gets more new ones, but is not swamped', async (t) => {
  const [fresh = 0, old = 0] = weigh([slot({ connections: 0 }), slot({ connections: 1_000 })]);
  t.ok(fresh > old);
  t.ok(fresh <= 16 * old);
  t.equal(new Set(weigh([slot({ connections: 3 }), slot({ connections: 4 })])).size, 1, 'a few are chance');
  t.equal(new Set(weigh([slot({ connections: null }), slot({ connections: 0 })])).size, 1, 'not told yet');
});

/** Connections that stay, opened one after the other, with a count each half second; how many each slot has in the end. */
function hold(start: readonly number[], { perSecond, seconds }: { perSecond: number; seconds: number }, seed: number) {
  const connections = [...start];
  let state = seed;
  const random = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  for (let count = 0; count < seconds * 2; count++) {
    const weights = weigh(connections.map((open) => slot({ connections: open })));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    for (let i = 0; i < perSecond / 2; i++) {
      let word = random() * sum;
      let chosen = 0;
      while (word >= (weights[chosen] ?? 0)) {
        word -= weights[chosen] ?? 0;
        chosen += 1;
      }
      connections[chosen] = (connections[chosen] ?? 0) + 1;
    }
  }
  return connections;
}

t.test('long-lived connections even out after a reload', async (t) => {
  // The last one to be replaced has none, and the others have its connections.
  const many = hold([0, 1_000, 1_000, 1_000], { perSecond: 50, seconds: 60 }, 1);
  t.ok(Math.max(...many) / Math.min(...many) < 1.15, `${many}`);
  const few = hold([0, 100, 100, 100], { perSecond: 50, seconds: 4 }, 1);
  t.ok(Math.max(...few) / Math.min(...few) < 1.3, `${few}`);
});

t.test('small differences even out as well: better than chance would have them', async (t) => {
  let variance = 0;
  for (let seed = 1; seed <= 200; seed++) {
    const counts = hold([0, 0, 0, 0], { perSecond: 50, seconds: 4 }, seed * 7_919);
    variance += counts.reduce((sum, count) => sum + (count - 50) ** 2, 0) / 4 / 200;
  }
  // 200 throws into 4 boxes: 200 * 1/4 * 3/4.
  t.ok(variance < 0.5 * 37.5, `${variance}`);
});

t.test('a slow start grows in steps from a tenth to all', async (t) => {
  t.equal(warmth(0, 10_000), 0);
  t.equal(warmth(5_000, 10_000), 0.5);
  t.equal(warmth(10_000, 10_000), 1);
  t.equal(warmth(0, 0), 1, 'off');
  const [cold = 0, warm = 0] = weigh([slot({ warmth: 0 }), slot()]);
  t.ok(cold > 0 && warm / cold > 8 && warm / cold < 12);
});

t.test('the next step of a slow start is known', async (t) => {
  t.equal(nextWarmthStep(0, 16_000), 1_000);
  t.equal(nextWarmthStep(1_000, 16_000), 2_000);
  t.equal(nextWarmthStep(16_000, 16_000), null);
  t.equal(nextWarmthStep(5, 0), null);
  for (let at = 0; at < 16_000; ) {
    const next = nextWarmthStep(at, 16_000) ?? 16_000;
    if (warmth(next, 16_000) <= warmth(at, 16_000)) t.fail('a step changes something');
    at = next;
  }
});

t.test('a share is met, whatever the others get', async (t) => {
  const weights = weigh([slot({ share: 0.05 }), slot({ queue: 8 }), slot(), slot()]);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  t.ok(Math.abs((weights[0] ?? 0) / sum - 0.05) < 0.001);
});

t.test('shares that come to more than all are cut: the others never get nothing', async (t) => {
  const weights = weigh([slot({ share: 0.9 }), slot({ share: 0.9 }), slot()]);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  t.ok(Math.abs((weights[2] ?? 0) / sum - 0.05) < 0.001);
});

t.test('a share means nothing where there is nobody to share with', async (t) => {
  t.ok((weigh([slot({ share: 0.05 }), slot({ avoided: true })])[0] ?? 0) > 0);
});

t.test('a slot with a share that is in trouble gets nothing', async (t) => {
  t.same(weigh([slot({ share: 0.05, avoided: true }), slot()])[0], 0);
});
