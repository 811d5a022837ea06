import t from 'tap';
import { addressKey, type CustodySocket } from '../../../src/sockets/custody/custody.js';
import { wrapFd } from '../../../src/sockets/handles/handle.js';
import { request } from '../../fixtures/sockets/support.js';
import { freePort } from '../../support/ports.js';
import { custodyFor, native, ways } from '../support/custody.js';

t.test('sockets that are taken over join their groups in the order that they had', async (t) => {
  if (!ways.includes('native')) return;
  const { native: libc } = native;
  const port = await freePort();
  const bind = () => {
    const fd = libc.openTcpSocket(4, { reusePort: true });
    const handle = wrapFd(fd);
    handle.bind('127.0.0.1', port);
    libc.listen(fd, 511);
    return { handle, host: '127.0.0.1', port, family: 4 as const, ipv6Only: false };
  };
  const key = `127.0.0.1:${port}`;
  const custody = custodyFor(t, 'native', { steered: true });
  const bound = [bind(), bind(), bind()];
  const [second, first, fourth] = bound.map((one, slot) => custody.takeOver(one, key, slot)) as CustodySocket[];
  t.same(custody.groups?.list(), [], 'not before all are there');
  // The third has gone since: the last took its index.
  const before = new Map([
    [second, 1],
    [first, 0],
    [fourth, 3],
  ]);
  t.same(
    custody.joinTaken((socket) => before.get(socket) ?? null),
    [],
  );
  t.same(custody.groups?.list(), [[first, second, fourth]]);
  t.equal(custody.takeOver(bind(), key, 1), null, 'one that is there already is closed');
  t.equal(custody.find(1, key), first);
});

t.test('an address of which the order is not known is not steered, whatever comes', async (t) => {
  if (!ways.includes('native')) return;
  const port = await freePort();
  const { native: libc } = native;
  const custody = custodyFor(t, 'native', { steered: true });
  const take = (slot: number) => {
    const fd = libc.openTcpSocket(4, { reusePort: true });
    const handle = wrapFd(fd);
    handle.bind('127.0.0.1', port);
    libc.listen(fd, 511);
    return custody.takeOver(
      { handle, host: '127.0.0.1', port, family: 4, ipv6Only: false },
      addressKey(request('127.0.0.1', port)),
      slot,
    );
  };
  const [one, other] = [take(0), take(1)];
  const order = (socket: CustodySocket) => (socket === one ? 0 : null);
  t.same(custody.joinTaken(order), [`127.0.0.1:${port}`]);
  t.same(custody.groups?.list(), []);
  t.ok(other);
  await custody.acquire(2, request('127.0.0.1', port));
  t.same(custody.groups?.list(), [], 'its index would be a wrong one');
});

t.test('where all slots share a socket the first that is taken over is kept', async (t) => {
  const custody = custodyFor(t, null);
  const port = await freePort();
  const bound = await custodyFor(t, null).acquire(0, request('127.0.0.1', port));
  const key = addressKey(request('127.0.0.1', port));
  const taken = custody.takeOver(bound, key, 3);
  t.match(taken, { slot: null, key });
  t.equal(await custody.acquire(1, request('127.0.0.1', port)), taken);
  t.same(
    custody.joinTaken(() => null),
    [],
  );
});
