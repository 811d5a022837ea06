import { readFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { endProfile, takeProfile } from '../../dist/worker/profile.js';

t.test('a profile that is given up is said to be, once, and nothing of it comes later', async (t) => {
  const folder = t.testdir({});
  const spare = path.join(folder, 'spare');
  const order = { cmd: 'NODE_HOLDFAST', type: 'profile', what: 'cpu', file: '/nowhere/x', id: '1 2', spare } as const;
  const outcomes: unknown[] = [];
  takeProfile({ ...order, seq: 1, forMs: 600_000 }, (outcome: unknown) => outcomes.push(outcome));
  endProfile(2);
  t.same(outcomes, []);
  endProfile(1);
  endProfile(1);
  t.same(outcomes, [{ ok: false, aside: true, detail: 'given up' }]);
  t.equal(readFileSync(spare, 'utf8'), '');
});
