import t from 'tap';
import { Holders } from '../../../../src/supervisor/workers/listening/holders.js';

t.test('what is shared is held until the last worker has closed it as often as it has it, or has ended', async (t) => {
  const holders = new Holders();
  t.notOk(holders.has('udp:127.0.0.1:53'));
  for (const worker of [1, 1, 2, 3]) holders.add('udp:127.0.0.1:53', worker);
  holders.add('unix:/run/app.sock', 1);
  t.notOk(holders.remove('udp:127.0.0.1:53', 4));
  t.ok(holders.remove('udp:127.0.0.1:53', 1), 'it has a second one');
  holders.forget(2);
  t.notOk(holders.remove('udp:127.0.0.1:53', 3));
  t.ok(holders.has('udp:127.0.0.1:53'), 'the first worker has a second one');
  holders.forget(1);
  t.notOk(holders.has('udp:127.0.0.1:53'));
  t.notOk(holders.has('unix:/run/app.sock'));
});
