/** What may happen in a take-over. */
import fc from 'fast-check';

const fates = ['live', 'late', 'lost', 'stuck', 'stuckForGood', 'crashes', 'unseen'] as const;
const conditions = ['serving', 'held', 'starting', 'draining', 'drained'] as const;
const orphans = fc.record({
  slot: fc.integer({ min: 0, max: 4 }),
  generation: fc.constantFrom(3, 3, 3, 4, 5),
  fate: fc.constantFrom('live', 'live', ...fates),
  condition: fc.constantFrom('serving', 'serving', ...conditions),
});

const requests = fc.record({
  afterMs: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 12_000 })),
  what: fc.constantFrom('reload', 'reload', 'restart', 'scale', 'stop', 'stopNow', 'crash'),
});

export const setups = fc.record({
  seed: fc.integer(),
  size: fc.integer({ min: 1, max: 4 }),
  listenMode: fc.constantFrom('reuseport' as const, 'reuseaddr' as const),
  trialMs: fc.constantFrom(0, 300),
  health: fc.boolean(),
  orphans: fc.array(orphans, { maxLength: 8 }),
  requests: fc.array(requests, { maxLength: 3 }),
});

export type Setup = typeof setups extends fc.Arbitrary<infer T> ? T : never;
export type Fate = Setup['orphans'][number];
