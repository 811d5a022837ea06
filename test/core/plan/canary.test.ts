import fc from 'fast-check';
import t from 'tap';
import {
  add,
  type CanaryLimits,
  compareCanary,
  NO_FIGURES,
  type Side,
  subtract,
} from '../../../src/core/plan/canary.js';
import { percentile } from '../../../src/latency.js';
import { Clock } from '../clock.js';

const LIMITS: CanaryLimits = {
  minRequests: 100,
  maxErrorRate: 0.01,
  maxLatencyRatio: 1.5,
  latencyFloorMs: 20,
  maxLoopDelayMs: 500,
};

/** `bucket` 40 ends at about 102 ms, four more double it. */
function side(answers: number, serverErrors: number, bucket = 20, loopDelaysMs: number[] = []): Side {
  const latency = new Array(80).fill(0);
  latency[bucket] = answers;
  return { figures: { answers, serverErrors, latency }, loopDelaysMs };
}

t.test('what has come in between is what is compared, and several workers count as one', async (t) => {
  const earlier = { answers: 2, serverErrors: 1, latency: [1, 1] };
  const later = { answers: 5, serverErrors: 1, latency: [2, 2, 1] };
  t.same(subtract(later, earlier), { answers: 3, serverErrors: 0, latency: [1, 1, 1] });
  t.same(add(subtract(later, earlier), NO_FIGURES), { answers: 3, serverErrors: 0, latency: [1, 1, 1] });
});

t.test('a percentile is the end of the bucket that it lies in', async (t) => {
  t.equal(percentile([], 0.99), 0);
  // In milliseconds: the first ends at 2^-13 s, the fifth at twice that.
  const first = 1000 / 2 ** 13;
  t.equal(percentile([100], 0.99), first);
  t.equal(percentile([98, 0, 0, 0, 2], 0.99), 2 * first);
  t.equal(percentile([99, 0, 0, 0, 1], 0.99), first);
});

t.test('errors that are more than chance and more than allowed are found, with their figures', async (t) => {
  t.same(compareCanary(side(1_000, 100), side(10_000, 10), LIMITS), {
    verdict: 'worse',
    reason: '10.0 % of 1000 answers were 5xx, against 0.1 % of 10000',
  });
  t.equal(compareCanary(side(10, 10), side(200, 0), LIMITS).verdict, 'worse', 'ten of ten need no further proof');
  t.equal(compareCanary(side(1_000, 100), side(10_000, 1_000), LIMITS).verdict, 'good', 'the old one has as many');
  t.equal(compareCanary(side(100, 1), side(10_000, 0), LIMITS).verdict, 'good', 'one may be chance');
  const patient = { ...LIMITS, maxErrorRate: 0.2 };
  t.equal(compareCanary(side(1_000, 100), side(10_000, 10), patient).verdict, 'good', 'the owner allows that many');
  t.equal(compareCanary(side(500, 500), side(0, 0), LIMITS).verdict, 'worse', 'with nobody to compare with');
});

t.test('slow answers count by ratio and by a least difference', async (t) => {
  t.equal(compareCanary(side(1_000, 0, 44), side(10_000, 0, 40), LIMITS).verdict, 'worse');
  t.match(
    compareCanary(side(1_000, 0, 44), side(10_000, 0, 40), LIMITS).reason,
    /took 250 ms and more, against 125 ms$/,
  );
  t.equal(compareCanary(side(1_000, 0, 41), side(10_000, 0, 40), LIMITS).verdict, 'good', 'less than the ratio');
  t.equal(compareCanary(side(1_000, 0, 20), side(10_000, 0, 8), LIMITS).verdict, 'good', 'a few milliseconds only');
  t.equal(compareCanary(side(99, 0, 60), side(10_000, 0, 40), LIMITS).verdict, 'undecided', 'too few for a percentile');
});

t.test('a late event loop is found by its median', async (t) => {
  const late = [5, 900, 900, 900, 900];
  t.match(compareCanary(side(200, 0, 20, late), side(200, 0, 20, [5]), LIMITS), {
    verdict: 'worse',
    reason: 'its event loop is late by 900 ms, against 5.0 ms',
  });
  t.equal(compareCanary(side(200, 0, 20, [5, 900, 5, 5, 900]), side(200, 0), LIMITS).verdict, 'good', 'now and then');
  t.equal(compareCanary(side(200, 0, 20, late), side(200, 0, 20, late), LIMITS).verdict, 'good', 'all are late');
});

t.test('too few answers are told as that', async (t) => {
  t.same(compareCanary(side(3, 0), side(0, 0), LIMITS), {
    verdict: 'undecided',
    reason: 'it has answered 3 requests, and 100 are needed',
  });
});

t.test('one that is no different is called worse in fewer than one of a hundred canaries of two minutes', async (t) => {
  let wrong = 0;
  const canaries = 300;
  for (let seed = 0; seed < canaries; seed++) {
    const clock = new Clock(seed);
    const rate = clock.between(0, 0.1);
    let own = side(0, 0);
    let old = side(0, 0);
    const grow = ({ figures, loopDelaysMs }: Side, count: number): Side => {
      const latency = [...figures.latency];
      let serverErrors = figures.serverErrors;
      for (let i = 0; i < count; i++) {
        if (clock.happens(rate)) serverErrors += 1;
        const bucket = Math.floor(30 + 25 * clock.chance() ** 6);
        latency[bucket] = (latency[bucket] ?? 0) + 1;
      }
      return { figures: { answers: figures.answers + count, serverErrors, latency }, loopDelaysMs };
    };
    for (let look = 0; look < 120; look++) {
      own = grow(own, 5);
      old = grow(old, 45);
      if (compareCanary(own, old, LIMITS).verdict !== 'worse') continue;
      wrong += 1;
      break;
    }
  }
  t.ok(wrong < canaries / 100, `${wrong} of ${canaries}`);
});

t.test('whatever the figures, there is a verdict, and no reason is not a number', async (t) => {
  const figures = fc.record({ answers: fc.nat(1_000), errors: fc.nat(1_000), bucket: fc.nat(79) });
  fc.assert(
    fc.property(figures, figures, (own, old) => {
      const of = ({ answers, errors, bucket }: typeof own) => side(answers, Math.min(answers, errors), bucket);
      const { verdict, reason } = compareCanary(of(own), of(old), LIMITS);
      return (verdict === 'good') === (reason === null) && !/NaN|Infinity/.test(reason ?? '');
    }),
  );
  t.pass();
});
