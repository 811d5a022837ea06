import fs, { linkSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import t from 'tap';
import { BindError } from '../../../src/sockets/bind/bind-error.js';
import { bindPath } from '../../../src/sockets/bind/shared-bind.js';
import { freePort } from '../../support/ports.js';
import { folder, keeper, sharedOf, udp, unix } from '../support/shared.js';

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
