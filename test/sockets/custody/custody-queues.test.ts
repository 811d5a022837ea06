import net from 'node:net';
import t from 'tap';
import { NO_NATIVE, request } from '../../fixtures/sockets/support.js';
import { freePort } from '../../support/ports.js';
import { custodyFor, listen } from '../support/custody.js';

t.test('where connections are steered sockets listen at once, and their order is known', async (t) => {
  const custody = custodyFor(t, 'native', { steered: true });
  const wanted = request('127.0.0.1', await freePort());
  const [a, b, c] = [
    await custody.acquire(2, wanted),
    await custody.acquire(0, wanted),
    await custody.acquire(1, wanted),
  ];
  const other = await custody.acquire(0, request('127.0.0.1', 0));
  t.equal(custody.queue(c)?.length, 0, 'it listens');
  t.same(custody.groups?.list(), [[a, b, c], [other]]);
  custody.release(2, a.key);
  t.same(custody.groups?.list(), [[c, b], [other]], 'the last one takes the place of one that goes, as in the kernel');
  custody.releaseAddress(other.key);
  t.same(custody.groups?.list(), [[c, b]]);
});

t.test('tells in which queues connections wait, and when one comes', async (t) => {
  const custody = custodyFor(t, 'native', { steered: true });
  await custody.acquire(0, request('127.0.0.1', 0));
  const other = await custody.acquire(0, request('127.0.0.1', 0));
  t.same(custody.groups?.readable(), []);
  const came = custody.groups?.wait();
  // It is reset when the socket goes.
  const client = net.connect(other.port, '127.0.0.1').on('error', () => {});
  t.teardown(() => client.destroy());
  t.equal(await came, true);
  t.same(custody.groups?.readable(), [other]);
  custody.releaseAddress(other.key);
  t.same(custody.groups?.readable(), [], 'what is closed is not looked at');
  const waiting = custody.groups?.wait();
  custody.closeAll();
  t.equal(await waiting, false, 'who waits is woken up by the end');
  t.same(custody.list(), []);
});

t.test('does not tell the queue without libc', async (t) => {
  const custody = custodyFor(t, null, { native: NO_NATIVE });
  const socket = await custody.acquire(0, request('127.0.0.1', 0));
  listen(t, socket);
  t.equal(custody.queue(socket), null);
});
