import { existsSync, unlinkSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { bindUdp } from '../../../src/sockets/bind/shared-bind.js';
import { freePort } from '../../support/ports.js';
import { folder, keeper, native, of, sharedOf, udp, unix } from '../support/shared.js';

t.test('the sockets of a unit are given to who asks for them, and are never closed to others', async (t) => {
  const dir = folder(t);
  const at = path.join(dir, 'app.sock');
  const port = await freePort();
  const units = [of('unix', at, 0, null), of('udp', '127.0.0.1', port, null)];
  const { it, said } = keeper();
  const { shared, known } = sharedOf(t, units, it);
  t.equal(shared.unclaimed.length, 2);
  t.same(shared.paths, [at], 'nobody is to remove it before it is asked for');
  t.same(known, []);
  const socket = await shared.acquire(unix(at));
  t.equal(socket.handle, units[0]?.handle);
  t.equal((await shared.acquire(udp(port))).handle, units[1]?.handle);
  t.equal(shared.unclaimed.length, 0);
  t.same(known, [`unix:${at}`, `udp:127.0.0.1:${port}`], 'connections may wait in it');
  t.ok(shared.release(socket.key));
  t.equal((await shared.acquire(unix(at))).handle, socket.handle, 'it is there for the next one');
  t.same(said, [], 'who has made it keeps it');
  t.notOk(existsSync(path.join(dir, '.app.sock.shop.holdfast')));
});

t.test('a unit that has taken the name comes first', { skip: !native.ok }, async (t) => {
  const at = path.join(folder(t), 'app.sock');
  const before = of('unix', at, 0, `unix:${at}`);
  unlinkSync(at);
  const unit = of('unix', at, 0, null);
  const { it, said } = keeper();
  const { shared } = sharedOf(t, [before, unit], it);
  t.equal((await shared.acquire(unix(at))).handle, unit.handle);
  t.same(said, [`drop ${before.name}`]);
});

t.test('who asks for datagrams of the other family is told what the unit has to say', async (t) => {
  const port = await freePort();
  const handle = bindUdp('k', udp(port, { host: '::', family: 6 }));
  const unit = {
    kind: 'udp' as const,
    handle,
    host: '::',
    port,
    family: 6 as const,
    ipv6Only: false,
    name: 'web',
    kept: null,
  };
  const { shared } = sharedOf(t, [unit]);
  await t.rejects(shared.acquire(udp(port, { host: '0.0.0.0' })), {
    code: 'EADDRINUSE',
    hint: new RegExp(`ListenDatagram=0\\.0\\.0\\.0:${port}$`),
  });
});
