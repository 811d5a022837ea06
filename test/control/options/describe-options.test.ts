import t from 'tap';
import { checkDescription, readDescribeOptions } from '../../../src/control/options/describe-options.js';

t.test('what a description may be asked for', async (t) => {
  t.same(readDescribeOptions(undefined), {});
  t.same(readDescribeOptions({}), { secrets: false });
  t.same(readDescribeOptions({ of: 0, secrets: true }), { of: 0, secrets: true });
  t.same(readDescribeOptions({ of: 'first' }), { of: 'first', secrets: false });
  for (const body of [null, 1, [], { of: -1 }, { of: 1.5 }, { of: '1' }, { secrets: 'yes' }, { off: 1 }]) {
    t.equal(readDescribeOptions(body), null, JSON.stringify(body));
  }
});

t.test('what is no description is refused', async (t) => {
  const release = { folder: '/', script: '/a', loadedAtMs: 1, scriptChangedAtMs: 1 };
  const whole = { atMs: 1, release, settings: [], environment: [], restarts: [] };
  t.equal(checkDescription(whole), whole);
  for (const broken of [
    null,
    { ...whole, atMs: '1' },
    { ...whole, release: null },
    { ...whole, release: { ...release, folder: 1 } },
    { ...whole, settings: [{ name: 'a' }] },
    { ...whole, environment: [null] },
    { ...whole, restarts: [{ what: 'crashed', reason: 'a' }] },
  ]) {
    t.throws(() => checkDescription(broken), /not a description/, JSON.stringify(broken));
  }
});
