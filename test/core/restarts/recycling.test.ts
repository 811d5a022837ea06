import t from 'tap';
import { hasLimits, judgeSample, type Limits, NO_STREAKS, type Sample } from '../../../src/core/restarts/recycling.js';

const NONE: Limits = { maxMemoryBytes: null, maxRequests: null, maxAgeMs: null, maxEventLoopDelayMs: null };
const CALM: Sample = { ageMs: 0, rssBytes: 0, requests: 0, eventLoopDelayMs: 0 };
const MIB = 2 ** 20;

/** As many samples of the same kind, one after the other. */
function after(count: number, limits: Partial<Limits>, sample: Partial<Sample>, chance = 0): string | null {
  let streaks = NO_STREAKS;
  let reason: string | null = null;
  for (let i = 0; i < count; i++) {
    const judged = judgeSample({ ...NONE, ...limits }, { ...CALM, ...sample }, { before: streaks, chance });
    streaks = judged.streaks;
    reason = judged.exceeded?.reason ?? null;
  }
  return reason;
}

t.test('without limits there is nothing to look at', async (t) => {
  t.equal(hasLimits(NONE), false);
  t.equal(hasLimits({ ...NONE, maxAgeMs: 1 }), true);
  t.equal(after(9, {}, { ageMs: 1e12, rssBytes: 1e12, requests: 1e12, eventLoopDelayMs: 1e12 }), null);
});

t.test('memory and delay must be too much three times in a row', async (t) => {
  const memory = { maxMemoryBytes: 100 * MIB };
  t.equal(after(2, memory, { rssBytes: 120 * MIB }), null);
  t.equal(after(3, memory, { rssBytes: 120 * MIB }), 'maxMemory: 120 MiB of 100 MiB');
  t.equal(after(2, { maxEventLoopDelayMs: 50 }, { eventLoopDelayMs: 70 }), null);
  t.equal(after(3, { maxEventLoopDelayMs: 50 }, { eventLoopDelayMs: 70 }), 'maxEventLoopDelay: 70 ms of 50 ms');
  const { streaks } = judgeSample({ ...NONE, ...memory }, CALM, { before: { memory: 2, delay: 2 }, chance: 0 });
  t.same(streaks, NO_STREAKS, 'one that is not begins anew');
});

t.test('requests and age count at once', async (t) => {
  t.equal(after(1, { maxRequests: 100 }, { requests: 99 }), null);
  t.equal(after(1, { maxRequests: 100 }, { requests: 100 }), 'maxRequests: 100 of 100');
  t.equal(after(1, { maxAgeMs: 60_000 }, { ageMs: 60_000 }), 'maxAge: 60 s of 60 s');
});

t.test('chance lowers a limit by up to a tenth', async (t) => {
  t.equal(after(1, { maxRequests: 100 }, { requests: 91 }, 0.999), 'maxRequests: 91 of 100');
  t.equal(after(1, { maxRequests: 100 }, { requests: 89 }, 0.999), null);
});

t.test('what is not known is not held against anybody', async (t) => {
  t.equal(after(9, { maxMemoryBytes: 1, maxRequests: 1 }, { rssBytes: null, requests: null }), null);
});
