import t from 'tap';
import { readInspectOptions, readProfileOptions } from '../../../src/control/options/profile-options.js';

const ORDER = { of: 3, what: 'cpu', forMs: 10_000, file: '/tmp/x', id: '1 2' };

t.test('what a profile may be asked for', async (t) => {
  t.same(readProfileOptions(ORDER), ORDER);
  t.match(readProfileOptions({ ...ORDER, of: 'first', what: 'sampling' }), { of: 'first', what: 'sampling' });
  for (const wrong of [
    ...[{ of: -1 }, { of: '3' }, { what: 'tea' }, { forMs: 99 }, { forMs: 600_001 }, { forMs: '10' }],
    ...[{ file: 'x' }, { file: '/a\0' }, { file: 1 }, { id: '' }, { id: '1' }, { id: '1 2; rm' }],
  ]) {
    t.equal(readProfileOptions({ ...ORDER, ...wrong }), null, JSON.stringify(wrong));
  }
  for (const body of [undefined, null, 1, {}]) t.equal(readProfileOptions(body), null);
});

t.test('what an inspector may be asked for', async (t) => {
  t.same(readInspectOptions({ of: 0 }), { of: 0 });
  t.same(readInspectOptions({ of: 'first' }), { of: 'first' });
  for (const body of [undefined, null, {}, { of: 1.5 }]) t.equal(readInspectOptions(body), null);
});
