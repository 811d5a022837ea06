import t from 'tap';
import { Told } from '../../../../src/supervisor/workers/channel/told.js';

const cmd = 'NODE_HOLDFAST';
const KEY = '127.0.0.1:80';

t.test('what nobody has been given cannot be adopted, and each answer is one', async (t) => {
  const told = new Told();
  const answer = { cmd, type: 'adopted', key: KEY, slot: 1, ok: true } as const;
  t.throws(() => told.expect(answer), { message: /adopted: it was not lent "127\.0\.0\.1:80" of slot 1/ });
  told.note({ cmd, type: 'adopt', key: KEY, slot: 1 });
  t.throws(() => told.expect({ ...answer, slot: 0 }));
  t.throws(() => told.expect({ ...answer, key: '127.0.0.1:81' }));
  told.expect(answer);
  t.throws(() => told.expect(answer), 'once');
  told.expect({ cmd, type: 'released', key: KEY, slot: 1 });
});

t.test('an address that it has by a server on a wider one is closed with that', async (t) => {
  const told = new Told();
  const closed = { cmd, type: 'closed', key: KEY } as const;
  told.note({ cmd, type: 'adopt', key: KEY, slot: 0, under: '0.0.0.0:80' });
  t.throws(() => told.expect(closed), 'it has not said that it accepts there');
  told.expect({ cmd, type: 'adopted', key: KEY, slot: 0, ok: true });
  told.expect(closed);
  t.throws(() => told.expect(closed));
  told.note({ cmd, type: 'adopt', key: KEY, slot: 0, under: '0.0.0.0:80' });
  told.expect({ cmd, type: 'adopted', key: KEY, slot: 0, ok: false });
  t.throws(() => told.expect(closed), 'it does not accept there');
});
