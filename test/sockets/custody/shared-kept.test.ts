import { existsSync, linkSync, readdirSync, rmSync, statSync, unlinkSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import t from 'tap';
import { nameOf } from '../../../src/sockets/inherit.js';
import { openFds } from '../../fixtures/sockets/support.js';
import { freePort } from '../../support/ports.js';
import { folder, keeper, native, of, sharedOf, udp, unix } from '../support/shared.js';

t.test('what is bound is kept, and given up when its end has come', { skip: !native.ok }, async (t) => {
  const at = path.join(folder(t), 'app.sock');
  const port = await freePort();
  const { it, said, finish } = keeper();
  const { shared } = sharedOf(t, [], it);
  const fds = openFds();
  const socket = await shared.acquire(unix(at));
  await shared.acquire(udp(port));
  const names = [`unix:${at}`, `udp:127.0.0.1:${port}`].map((key) => nameOf({ key, slot: null, index: null }));
  t.same(said.splice(0), [`keep ${names[0]}`, `keep ${names[1]}`]);
  t.equal((await shared.acquire(unix(at))).handle, socket.handle);
  t.same(said, [], 'once');
  t.ok(statSync(at).isSocket(), 'it has its name');

  t.ok(shared.release(`udp:127.0.0.1:${port}`));
  const again = shared.acquire(udp(port));
  let isThere = false;
  void again.then(() => {
    isThere = true;
  });
  await new Promise(setImmediate);
  t.notOk(isThere, 'not before the keeper has closed its own');
  finish();
  await again;
  t.same(said.splice(0), [`drop ${names[1]}`, `keep ${names[1]}`]);

  t.ok(shared.release(`unix:${at}`));
  t.same(said.splice(0), [`drop ${names[0]}`]);
  t.notOk(existsSync(at), 'its name goes at once');
  finish();
  shared.closeAll();
  t.equal(openFds(), fds);
});

t.test(
  'at the end of the supervisor a unix socket that is kept has its name still',
  { skip: !native.ok },
  async (t) => {
    for (const [kept, isThere] of [
      [keeper().it, true],
      [null, false],
    ] as const) {
      const dir = folder(t);
      const at = path.join(dir, 'app.sock');
      const { shared } = sharedOf(t, [], kept);
      await shared.acquire(unix(at));
      shared.closeAll();
      t.equal(existsSync(at), isThere);
      t.notOk(existsSync(path.join(dir, '.app.sock.shop.holdfast')), 'nothing else is left');
    }
  },
);

t.test('sockets from before are served on', async (t) => {
  const at = path.join(folder(t), 'app.sock');
  const port = await freePort();
  const keys = [`unix:${at}`, `udp:127.0.0.1:${port}`];
  const before = [of('unix', at, 0, keys[0]!), of('udp', '127.0.0.1', port, keys[1]!)];
  const { it, said } = keeper();
  const { shared, known } = sharedOf(t, before, it);
  t.same(known, keys);
  t.equal((await shared.acquire(unix(at))).handle, before[0]?.handle);
  t.equal((await shared.acquire(udp(port))).handle, before[1]?.handle);
  t.same(shared.paths, [at]);
  t.same(said, [], 'the keeper has them');
});

t.test(
  'one whose name somebody else has is given up; one that is left with the second name has the first again',
  async (t) => {
    const dir = folder(t);
    const at = path.join(dir, 'app.sock');
    const spare = path.join(dir, '.app.sock.shop.holdfast');
    for (const [what, isServed] of [
      ['removed', true],
      ['lost', false],
      ['taken', false],
    ] as const) {
      const before = of('unix', at, 0, `unix:${at}`);
      if (what !== 'lost') linkSync(at, spare);
      unlinkSync(at);
      const other = net.createServer();
      if (what === 'taken') await new Promise<void>((resolve) => other.listen(at, resolve));
      const { it, said } = keeper();
      const { shared, known } = sharedOf(t, [before], it);
      t.equal(known.length, isServed ? 1 : 0, what);
      t.equal(said.includes(`drop ${before.name}`), !isServed, what);
      if (isServed) t.ok(statSync(at).isSocket(), 'it is there again');
      if (what === 'taken') {
        await t.rejects(shared.acquire(unix(at)), { code: 'EADDRINUSE' });
        await new Promise((resolve) => other.close(resolve));
      }
      for (const { key } of shared.list()) shared.release(key);
      rmSync(at, { force: true });
      rmSync(spare, { force: true });
    }
  },
);

t.test('what a worker hands over is served on, once', { skip: !native.ok }, async (t) => {
  const at = path.join(folder(t), 'app.sock');
  const [port, otherPort] = [await freePort(), await freePort()];
  const keys = { unix: `unix:${at}`, udp: `udp:127.0.0.1:${port}` };
  const { shared } = sharedOf(t);
  const { name: _name, kept: _kept, ...socket } = of('unix', at, 0, null);
  const taken = shared.takeOver(socket, keys.unix);
  t.match(taken, { key: keys.unix, slot: null, kind: 'unix', host: at });
  t.equal(await shared.acquire(unix(at)), taken);
  const { name: _none, kept: _no, ...datagrams } = of('udp', '127.0.0.1', port, null);
  const received = shared.takeOver(datagrams, keys.udp);
  t.equal(await shared.acquire(udp(port)), received);
  const fds = openFds();
  const { name: _n, kept: _k, ...again } = of('udp', '127.0.0.1', otherPort, null);
  t.equal(shared.takeOver(again, keys.udp), null);
  t.same(openFds(), fds, 'a second one is closed');
  const { name: _a, kept: _b, ...nameless } = of('unix', path.join(folder(t), 'gone.sock'), 0, null);
  rmSync(nameless.host);
  for (const file of readdirSync(path.dirname(nameless.host))) rmSync(path.join(path.dirname(nameless.host), file));
  t.equal(shared.takeOver(nameless, `unix:${nameless.host}`), null, 'nobody can come by it');
});
