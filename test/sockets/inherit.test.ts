import net from 'node:net';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { loadNative } from '../../src/native/libc.js';
import { bindSocket } from '../../src/sockets/bind/bind.js';
import { Custody, type CustodySocket } from '../../src/sockets/custody/custody.js';
import {
  type InheritedShared,
  type InheritedSocket,
  isOrderKnown,
  type Kept,
  matchFor,
  matchShared,
  nameOf,
  parseName,
} from '../../src/sockets/inherit.js';
import { request, reusePortWays } from '../fixtures/sockets/support.js';
import { freePort } from '../support/ports.js';
import { keeper } from './support/shared.js';

const native = loadNative();
const [how = 'native'] = await reusePortWays();

t.test('the name under which a socket is kept says whose it was', async (t) => {
  const kept = fc.record({
    key: fc.string({ minLength: 1, unit: 'grapheme-ascii' }),
    slot: fc.option(fc.nat(255)),
    index: fc.option(fc.nat(255)),
  });
  fc.assert(
    fc.property(kept, (one) => {
      const name = nameOf(one);
      return /^[ -9;-~]{1,255}$/.test(name) || name.length > 255
        ? JSON.stringify(parseName(name)) === JSON.stringify(one)
        : false;
    }),
  );
  for (const other of ['web', 'holdfast', 'holdfast/0/0/', 'holdfast/x/0/a', 'holdfast/0/0/%zz']) {
    t.equal(parseName(other), null, other);
  }
});

t.test('the name of a socket with a long path is one that systemd takes, and of that socket alone', async (t) => {
  const paths = ['/run/'.padEnd(105, 'ä'), '/run/'.padEnd(106, 'ä'), `/run/${'%'.repeat(100)}`];
  const names = paths.map((path) => nameOf({ key: `unix:${path}`, slot: null, index: null }));
  for (const name of names) {
    t.match(name, /^[ -9;-~]{1,255}$/);
    t.match(parseName(name), { slot: null, index: null }, 'it is known as ours');
  }
  t.equal(new Set(names).size, paths.length);
});

t.test('a request for what is no TCP gets the socket of its kind and address', async (t) => {
  const never = () => false;
  const one = (kind: 'udp' | 'unix', host: string, port = 0) =>
    ({
      kind,
      host,
      port,
      family: host.includes(':') ? 6 : 4,
      ipv6Only: false,
      name: 'web',
      kept: null,
    }) as InheritedShared;
  const udp = (host: string, port: number, ipv6Only = false) =>
    ({ kind: 'udp', host, port, family: host.includes(':') ? 6 : 4, ipv6Only, reuseAddr: false }) as const;
  const all = [
    one('unix', '/run/a.sock'),
    one('udp', '::', 53),
    one('udp', '127.0.0.1', 53),
    one('udp', '0.0.0.0', 54),
  ];
  t.equal(matchShared(all, udp('127.0.0.1', 53), never), all[2]);
  t.equal(matchShared(all, udp('::', 53), never), all[1]);
  t.equal(matchShared(all, udp('0.0.0.0', 53), never), all[2], 'a part of it, and of its family');
  t.equal(matchShared(all.slice(0, 2), udp('0.0.0.0', 53), never), undefined, 'never one of IPv6 for IPv4');
  t.equal(matchShared(all, udp('127.0.0.1', 54), never), all[3], 'one that takes it in');
  t.equal(matchShared(all, udp('127.0.0.1', 55), never), undefined);
  const unix = (path: string) => ({ kind: 'unix', path, umask: 0, readableAll: false, writableAll: false }) as const;
  t.equal(matchShared(all, unix('/run/a.sock'), never), all[0]);
  t.equal(matchShared(all, unix('/var/run/a.sock'), never), undefined);
  t.equal(
    matchShared(all, unix('/var/run/a.sock'), (a, b) => `/var${a}` === b),
    all[0],
    'by another name of the file',
  );
  t.equal(
    matchShared([one('unix', '\0a')], unix('\0b'), () => true),
    undefined,
    'abstract ones are no files',
  );
});

const like = (host: string, port: number, kept: Kept | null = null) =>
  ({ host, port, family: host.includes(':') ? 6 : 4, ipv6Only: false, name: 'web', kept }) as InheritedSocket;

t.test('a request gets the socket of its address, whatever the order', async (t) => {
  const all = [like('127.0.0.1', 80), like('::', 81), like('::1', 80), like('0.0.0.0', 80), like('10.0.0.1', 82)];
  const hostOf = (host: string | null, port: number) => {
    const found = [all, [...all].reverse()].map((list) => matchFor(list, request(host, port)));
    t.equal(found[0], found[1], `${host}:${port}`);
    return found[0]?.host;
  };
  t.equal(hostOf('127.0.0.1', 80), '127.0.0.1');
  t.equal(hostOf('0.0.0.0', 80), '0.0.0.0');
  t.equal(hostOf('::1', 80), '::1');
  t.equal(hostOf('10.1.1.1', 80), '0.0.0.0', 'one that takes it in');
  t.equal(hostOf(null, 81), '::');
  t.equal(hostOf(null, 82), '10.0.0.1', 'one that has a part of it');
  t.equal(hostOf(null, 83), undefined);
  t.equal(hostOf(null, 0), undefined);
});

t.test('the order of a group is known where its numbers have no gap', async (t) => {
  const kept = (index: number | null, slot: number | null = 0) => like('::', 80, { key: '*:80', slot, index });
  t.ok(isOrderKnown([]));
  t.ok(isOrderKnown([kept(1), kept(0), kept(2)]));
  t.ok(isOrderKnown([kept(2), like('::', 80), kept(1)]), 'the first is of a socket unit');
  t.ok(isOrderKnown([kept(null, null)]), 'one for all');
  t.notOk(isOrderKnown([kept(0), kept(2)]));
  t.notOk(isOrderKnown([kept(null)]));
  t.notOk(isOrderKnown([kept(0), like('::', 80)]));
});

function bound(t: Test, port: number, kept: Kept | null, reusePort = true): InheritedSocket {
  const socket = bindSocket(request('127.0.0.1', port), reusePort ? how : null, native);
  socket.handle.listen(16);
  t.teardown(() => socket.handle.close());
  return { ...socket, name: kept === null ? 'web' : nameOf(kept), kept };
}

function custodyOf(
  t: Test,
  inherited: InheritedSocket[],
  more: Partial<ConstructorParameters<typeof Custody>[0]> = {},
) {
  const known: CustodySocket[] = [];
  const custody = new Custody({
    mode: 'reuseport',
    how,
    steered: native.ok,
    native,
    bindTimeoutMs: 0,
    onWaiting: () => t.fail('nobody has to wait'),
    onInherited: (socket) => void known.push(socket),
    inherited,
    ...more,
  });
  t.teardown(() => custody.closeAll());
  return { custody, known };
}

t.test('sockets from before are those of their slots, in the order of their group', async (t) => {
  const port = await freePort();
  const key = `127.0.0.1:${port}`;
  const [first, second] = [bound(t, port, { key, slot: 1, index: 0 }), bound(t, port, { key, slot: 0, index: 1 })];
  const { custody, known } = custodyOf(t, [second, first]);
  t.same(
    known.map(({ slot }) => slot),
    [1, 0],
  );
  const socket = await custody.acquire(0, request('127.0.0.1', port));
  t.equal(socket.handle, second.handle);
  t.same(
    custody.groups?.list()[0]?.map(({ slot }) => slot),
    [1, 0],
  );
});

t.test('the socket of a unit goes to slot 0, and others are bound beside it where that can be', async (t) => {
  const port = await freePort();
  const unit = bound(t, port, null);
  const { custody } = custodyOf(t, [unit]);
  t.equal(custody.unclaimed.length, 1);
  const third = await custody.acquire(2, request('127.0.0.1', port));
  t.not(third.handle, unit.handle);
  t.equal((await custody.acquire(0, request('127.0.0.1', port))).handle, unit.handle);
  t.same(
    custody.groups?.list()[0]?.map(({ slot }) => slot),
    [0, 2],
    'it listened first',
  );
  t.equal(custody.unclaimed.length, 0);
  custody.release(0, third.key);
  t.equal(custody.find(0, third.key)?.handle, unit.handle, 'its maker holds it for good');
});

t.test('one without SO_REUSEPORT is for all slots', async (t) => {
  const port = await freePort();
  const unit = bound(t, port, null, false);
  const { custody } = custodyOf(t, [unit]);
  for (const slot of [1, 0]) {
    const socket = await custody.acquire(slot, request('127.0.0.1', port));
    t.match({ handle: socket.handle === unit.handle, slot: socket.slot }, { handle: true, slot: null });
  }
});

t.test('a socket is given up by its keeper before it leaves its group', { skip: !native.ok }, async (t) => {
  const port = await freePort();
  const key = `127.0.0.1:${port}`;
  const { it, said, finish } = keeper();
  const { custody } = custodyOf(t, [], { keeper: it });
  for (const slot of [0, 1, 2]) await custody.acquire(slot, request('127.0.0.1', port));
  const name = (slot: number, index: number) => nameOf({ key, slot, index });
  t.same(said.splice(0), [`keep ${name(0, 0)}`, `keep ${name(1, 1)}`, `keep ${name(2, 2)}`]);
  custody.release(0, key);
  t.same(said.splice(0), [`drop ${name(0, 0)}`]);
  t.equal(custody.list().length, 3, 'it is there until then');
  t.equal(custody.find(0, key), undefined, 'but nobody is given it');
  const again = custody.acquire(0, request('127.0.0.1', port));
  finish();
  const fresh = await again;
  t.equal(custody.list().length, 3);
  t.same(
    custody.groups?.list()[0]?.map(({ slot }) => slot),
    [2, 1, 0],
  );
  t.same(said, [`drop ${name(2, 2)}`, `keep ${name(2, 0)}`, `keep ${name(0, 2)}`], 'who has moved up has a new name');
  t.ok(fresh.order > 3);
});

t.test('slots that share one socket keep the first, and the others are given up', async (t) => {
  const port = await freePort();
  const key = `127.0.0.1:${port}`;
  const { it, said } = keeper();
  const kept = [bound(t, port, { key, slot: 0, index: 0 }), bound(t, port, { key, slot: 1, index: 1 })];
  const { custody } = custodyOf(t, kept, { keeper: it, mode: 'reuseaddr', how: null, steered: false });
  t.equal(custody.list().length, 1);
  t.ok(said.includes(`drop ${kept[1]?.name}`));
  const client = net.connect(port, '127.0.0.1');
  t.teardown(() => client.destroy());
  await new Promise((resolve) => client.once('connect', resolve));
});
