import t from 'tap';
import { randomKey, TicketKey } from '../../../src/supervisor/workers/ticket-key.js';

t.test('it is renewed after its time, and told', async (t) => {
  const renewed = new Promise<string>((resolve) => {
    const ticketKey = new TicketKey((key) => {
      t.equal(ticketKey.current, key);
      resolve(key);
    }, 1);
    t.teardown(() => ticketKey.close());
    t.equal(Buffer.from(ticketKey.current, 'base64').length, 48);
  });
  // It keeps no process alive by itself.
  const alive = setTimeout(() => {}, 60_000);
  t.equal(Buffer.from(await renewed, 'base64').length, 48);
  clearTimeout(alive);
});

t.test('no two supervisors have the same', async (t) => {
  const [one, other] = [new TicketKey(() => {}), new TicketKey(() => {})];
  t.not(one.current, other.current);
  one.close();
  other.close();
});

t.test('a system without its own source of random bytes has a key as well', async (t) => {
  for (const device of ['/dev/urandom', '/dev/null', '/nonexistent']) {
    const [one, other] = [randomKey(device), randomKey(device)];
    t.equal(one.length, 48);
    t.notOk(one.equals(other), device);
    t.notOk(one.equals(Buffer.alloc(48)), device);
  }
});
