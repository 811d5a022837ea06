import t from 'tap';
import { SilentClients } from '../../../src/control/admin/silent-clients.js';

t.test('who has just connected is waited for, and who stays silent is not', async (t) => {
  const silent = new SilentClients();
  t.equal(silent.areAwaited([], 0), false);
  t.equal(silent.areAwaited([990], 1_000), true);
  t.equal(silent.areAwaited([990], 1_300), false);
  t.equal(silent.areAwaited([990, 1_299], 1_301), true, 'another one has come');
});

t.test('more and more who stay silent are waited for no longer than a while, each time anew', async (t) => {
  const silent = new SilentClients();
  const first = Array.from({ length: 100 }, (_, look) => look * 50).find((now) => !silent.areAwaited([now - 10], now));
  t.equal(first, 2_000);
  t.equal(silent.areAwaited([2_040], 2_050), false, 'and there is no end of them');
  t.equal(silent.areAwaited([60_000], 60_000), true, 'it is another upgrade');
  t.equal(silent.areAwaited([], 60_050), false);
});
