import t from 'tap';
import { copyOf } from './copy.js';

t.test('a copy of a state shares nothing with it, and within itself what the state shares', async (t) => {
  const policy = Object.freeze({ release: 1, ports: Object.freeze([80, 443]) });
  const state = Object.freeze({ now: policy, next: policy, none: null, missing: undefined, list: [policy] });
  const copy = copyOf(state);
  t.strictSame(copy, state);
  t.not(copy.now, policy);
  t.equal(copy.now, copy.next);
  t.equal(copy.now, copy.list[0]);
  t.notOk(Object.isFrozen(copy) || Object.isFrozen(copy.now) || Object.isFrozen(copy.now.ports));
});

t.test('what is no plain value does not pass for one', async (t) => {
  for (const foreign of [new Map(), new Set(), new Date(0), () => 1, new (class Foreign {})()]) {
    t.throws(() => copyOf({ foreign }), TypeError, String(foreign));
  }
});
