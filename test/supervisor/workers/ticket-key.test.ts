import t from 'tap';
import { TicketKey } from '../../../src/supervisor/workers/ticket-key.js';

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
