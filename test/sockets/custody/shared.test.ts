import fs, {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { loadNative } from '../../../src/native/libc.js';
import { BindError } from '../../../src/sockets/bind/bind-error.js';
import { bindPath, bindUdp, withoutName } from '../../../src/sockets/bind/shared-bind.js';
import { SharedSockets } from '../../../src/sockets/custody/shared.js';
import { type InheritedShared, nameOf } from '../../../src/sockets/inherit.js';
import type { Keeper } from '../../../src/sockets/keeping.js';
import { freePort, openFds } from '../../fixtures/sockets/support.js';

const native = loadNative();

function folder(t: Test): string {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'hf-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const unix = (at: string) => ({ kind: 'unix', path: at, umask: 0o22, readableAll: false, writableAll: false }) as const;
const udp = (port: number, more: object = {}) =>
  ({ kind: 'udp', host: '127.0.0.1', port, family: 4, ipv6Only: false, reuseAddr: false, ...more }) as const;

/** What the keeper has been told, in its order. */
function keeper() {
  const said: string[] = [];
  let dropped = () => {};
  const it: Keeper = {
    keep: (name) => void said.push(`keep ${name}`),
    drop(name) {
      said.push(`drop ${name}`);
      return new Promise((resolve) => {
        dropped = resolve;
      });
    },
  };
  return { it, said, finish: () => dropped() };
}

function sharedOf(t: Test, inherited: InheritedShared[] = [], kept: Keeper | null = null, more: object = {}) {
  const known: string[] = [];
  const shared = new SharedSockets({
    owner: 'shop',
    native,
    inherited,
    keeper: kept,
    onInherited: ({ key }) => void known.push(key),
    ...more,
  });
  t.teardown(() => shared.closeAll());
  return { shared, known };
}

const of = (kind: 'unix' | 'udp', host: string, port: number, key: string | null): InheritedShared => ({
  kind,
  handle: kind === 'unix' ? withoutName(host, bindPath('k', unix(host)), 'shop', native) : bindUdp('k', udp(port)),
  host,
  port,
  family: 4,
  ipv6Only: false,
  name: key === null ? 'web' : nameOf({ key, slot: null, index: null }),
  kept: key === null ? null : { key, slot: null, index: null },
});

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

t.test('what one supervisor removes at its end is not the name that another has come to have', async (t) => {
  for (const more of [{}, { native: { ok: false, reason: 'none' } }, { owner: 'shop' }]) {
    const at = path.join(folder(t), 'app.sock');
    const one = sharedOf(t, [], null, more).shared;
    await one.acquire(unix(at));
    unlinkSync(at);
    const other = sharedOf(t, [], null, { owner: 'other', ...more }).shared;
    await other.acquire(unix(at));
    const { ino } = statSync(at);
    one.closeAll();
    t.equal(statSync(at, { throwIfNoEntry: false })?.ino, ino);
    unlinkSync(at);
    await other.acquire(unix(at));
    t.equal(statSync(at, { throwIfNoEntry: false })?.ino, ino, 'and it can be put back still');
    other.closeAll();
    t.same(readdirSync(path.dirname(at)), []);
  }
});

t.test(
  'a socket whose name is gone for good is bound anew, and one whose name another has taken is not given',
  async (t) => {
    for (const kept of [keeper().it, null]) {
      const dir = path.join(folder(t), 'run');
      mkdirSync(dir);
      const at = path.join(dir, 'app.sock');
      const { shared } = sharedOf(t, [], kept && { ...kept, drop: async () => {} });
      const first = await shared.acquire(unix(at));
      rmSync(dir, { recursive: true });
      await t.rejects(shared.acquire(unix(at)), { code: 'EACCES' }, 'as libuv calls a folder that is not there');
      mkdirSync(dir);
      const second = await shared.acquire(unix(at));
      t.not(second, first);
      t.ok(statSync(at).isSocket());
      t.equal(await shared.acquire(unix(at)), second);

      unlinkSync(at);
      const other = net.createServer();
      await new Promise<void>((resolve) => other.listen(at, resolve));
      await t.rejects(shared.acquire(unix(at)), { code: 'EADDRINUSE' });
      t.same(shared.list(), [second], 'whoever serves on it goes on');
      await new Promise((resolve) => other.close(resolve));
      t.equal(await shared.acquire(unix(at)), second, 'the other one has gone');
      t.ok(statSync(at).isSocket());

      unlinkSync(at);
      writeFileSync(at, 'no socket');
      await t.rejects(shared.acquire(unix(at)), { code: 'EADDRINUSE' });
      rmSync(at);
    }
  },
);

t.test('a path at which nobody can listen has the error that plain Node has', async (t) => {
  const dir = folder(t);
  writeFileSync(path.join(dir, 'file'), '');
  mkdirSync(path.join(dir, 'locked'), { mode: 0 });
  const at = ['file/app.sock', 'locked/app.sock', 'missing/app.sock'].map((name) => path.join(dir, name));
  const plain = await Promise.all(
    at.map(
      (where) =>
        new Promise((resolve) => {
          const server = net.createServer().listen(where, () => server.close(() => resolve(null)));
          server.on('error', ({ code }: NodeJS.ErrnoException) => resolve(code));
        }),
    ),
  );
  const { shared } = sharedOf(t);
  const code = (where: string) =>
    shared.acquire(unix(where)).then(
      () => null,
      (error: unknown) => (error instanceof BindError ? error.code : error),
    );
  t.same(await Promise.all(at.map(code)), plain);
  t.equal(plain[0], 'ENOTDIR');
});

t.test('a dead socket that cannot be removed is in the way, as under plain Node', async (t) => {
  const at = path.join(folder(t), 'app.sock');
  const dead = bindPath('k', unix(at));
  linkSync(at, `${at}.name`);
  dead.close();
  renameSync(`${at}.name`, at);
  const { unlinkSync: remove } = fs;
  t.teardown(() => {
    fs.unlinkSync = remove;
    syncBuiltinESMExports();
  });
  fs.unlinkSync = (name) => {
    if (name === at) throw Object.assign(new Error('of another user, in a sticky folder'), { code: 'EPERM' });
    remove(name);
  };
  syncBuiltinESMExports();
  const { shared } = sharedOf(t);
  await t.rejects(shared.acquire(unix(at)), { code: 'EADDRINUSE', errno: -os.constants.errno.EADDRINUSE });
});

t.test('datagrams for another host of a port: what nobody has any more goes, what somebody has is told', async (t) => {
  const port = await freePort();
  const { shared } = sharedOf(t);
  const hosts = [
    ['127.0.0.1', 4],
    ['0.0.0.0', 4],
    ['::', 6],
    ['127.0.0.1', 4],
  ] as const;
  let held = '';
  for (const [host, family] of hosts) {
    const request = udp(port, { host, family });
    const { key } = await shared.acquire(request, () => false);
    t.same(
      shared.list().map((socket) => socket.key),
      [key],
    );
    held = key;
  }
  await t.rejects(
    shared.acquire(udp(port, { host: '0.0.0.0' }), (key) => key === held),
    { code: 'EADDRINUSE', message: new RegExp(`udp:127.0.0.1:${port} is served`), hint: /restart/ },
  );
  await shared.acquire(udp(port, { host: '127.0.0.2' }), () => false);
  await shared.acquire(udp(await freePort(), { host: '0.0.0.0' }), () => false);
  t.equal(shared.list().length, 3, 'what is in nobody’s way stays');
});

t.test('names that have been removed can be put back at once', async (t) => {
  const at = path.join(folder(t), 'app.sock');
  const { shared } = sharedOf(t);
  await shared.acquire(unix(at));
  unlinkSync(at);
  shared.restoreNames();
  t.ok(statSync(at).isSocket());
});

t.test('what a worker hands over is served on, once', { skip: !native.ok }, async (t) => {
  const at = path.join(folder(t), 'app.sock');
  const port = await freePort();
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
  const { name: _n, kept: _k, ...again } = of('udp', '127.0.0.1', await freePort(), null);
  t.equal(shared.takeOver(again, keys.udp), null);
  t.same(openFds(), fds, 'a second one is closed');
  const { name: _a, kept: _b, ...nameless } = of('unix', path.join(folder(t), 'gone.sock'), 0, null);
  rmSync(nameless.host);
  for (const file of readdirSync(path.dirname(nameless.host))) rmSync(path.join(path.dirname(nameless.host), file));
  t.equal(shared.takeOver(nameless, `unix:${nameless.host}`), null, 'nobody can come by it');
});
