import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import t from 'tap';
import { fetchStatus } from '../../src/control/exchange.js';
import { ControlServer } from '../../src/control/server.js';
import type { HoldfastError } from '../../src/errors.js';
import { FakeTarget, makeFolder, open, statusOf } from './support/fake-target.js';

const start = (dir: string, name: string) => ControlServer.open({ dir, name, target: new FakeTarget(name) });

/** A socket on which nobody listens any more, as a killed process leaves it. */
async function leaveDeadSocket(file: string): Promise<void> {
  const server = net.createServer().listen(`${file}.bound`);
  await once(server, 'listening');
  linkSync(`${file}.bound`, file);
  await new Promise((resolve) => server.close(resolve));
}

t.test('a second supervisor of the same name is refused with the PID of the first', async (t) => {
  const { dir, target } = await open(t, 'shop');
  target.answerStatus = async () => statusOf('shop', { pid: 4711 });
  await t.rejects(start(dir, 'shop'), {
    code: 'ALREADY_RUNNING',
    exitCode: 1,
    message: /^cannot start shop: .*4711/,
    hint: /--name/,
  });
  t.same(readdirSync(dir).sort(), ['shop.lock', 'shop.sock'], 'it leaves nothing behind');
  const other = await start(dir, 'shop2');
  await other.close();
});

t.test('nothing is left when a supervisor ends, and the name is free', async (t) => {
  const { dir, server } = await open(t, 'shop');
  await server.close();
  t.same(readdirSync(dir), []);
  await (await start(dir, 'shop')).close();
});

t.test('what a killed supervisor left behind is taken over', async (t) => {
  const dir = makeFolder(t);
  const child = spawn(
    process.execPath,
    [
      '-e',
      `const net = require('node:net'), fs = require('node:fs'), dir = process.argv[1];
      fs.mkdirSync(dir + '/shop.lock');
      net.createServer().listen(dir + '/shop.lock/abc', () => {
        fs.linkSync(dir + '/shop.lock/abc', dir + '/shop.sock');
        process.stdout.write('listening');
      });`,
      dir,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  t.ok(lstatSync(path.join(dir, 'shop.sock')).isSocket(), 'the socket is still there');

  const server = await start(dir, 'shop');
  t.equal((await fetchStatus(server.path, 5_000)).name, 'shop');
  await server.close();
  t.same(readdirSync(dir), []);
});

t.test('a socket without a claim is taken over when nobody listens, and respected when somebody does', async (t) => {
  const dir = makeFolder(t);
  const file = path.join(dir, 'shop.sock');
  await leaveDeadSocket(file);
  await (await start(dir, 'shop')).close();

  const stranger = net.createServer((socket) => socket.destroy()).listen(file);
  await once(stranger, 'listening');
  t.teardown(() => stranger.close());
  await t.rejects(start(dir, 'shop'), { code: 'ALREADY_RUNNING', exitCode: 1, message: /does not answer/ });
  t.ok(existsSync(file));
  t.same(readdirSync(dir), ['shop.sock']);
});

t.test('of many that start at once one wins, also over a dead claim', async (t) => {
  const dir = makeFolder(t);
  for (let round = 0; round < 5; round++) {
    mkdirSync(path.join(dir, 'shop.lock'), { recursive: true });
    await leaveDeadSocket(path.join(dir, 'shop.lock', `dead${round}`));
    const tries = await Promise.allSettled(Array.from({ length: 12 }, () => start(dir, 'shop')));
    const won = tries.filter((result) => result.status === 'fulfilled');
    const lost = tries.filter((result) => result.status === 'rejected');
    t.equal(won.length, 1);
    const codes = new Set(lost.map(({ reason }) => (reason as HoldfastError).code));
    t.same([...codes], ['ALREADY_RUNNING']);
    t.same(readdirSync(dir).sort(), ['shop.lock', 'shop.sock']);
    const [winner] = won;
    if (winner === undefined) return;
    t.equal((await fetchStatus(winner.value.path, 5_000)).name, 'shop');
    await winner.value.close();
  }
  t.same(readdirSync(dir), []);
});

t.test('files that are not its own are refused and left alone', async (t) => {
  const dir = makeFolder(t);
  const file = path.join(dir, 'shop.sock');
  writeFileSync(file, 'precious');
  await t.rejects(start(dir, 'shop'), { code: 'PATH_TAKEN', message: /no socket/, hint: /--name/ });
  t.equal(readFileSync(file, 'utf8'), 'precious');

  writeFileSync(path.join(dir, 'other.lock'), 'precious');
  await t.rejects(start(dir, 'other'), { code: 'PATH_TAKEN', message: /no folder/ });
  mkdirSync(path.join(dir, 'third.lock', 'sub'), { recursive: true });
  await t.rejects(start(dir, 'third'), { code: 'PATH_TAKEN' });
  t.same(readdirSync(dir).sort(), ['other.lock', 'shop.sock', 'third.lock']);
});

t.test('a path that is too long for a unix socket is an error that says so', async (t) => {
  const dir = makeFolder(t);
  const name = 'n'.repeat(100);
  await t.rejects(start(dir, name), {
    code: 'PATH_TOO_LONG',
    exitCode: 2,
    message: /cannot open control socket .* bytes/,
    hint: /HOLDFAST_RUNTIME_DIR/,
  });
  t.same(readdirSync(dir), []);
});

t.test('a name that leads out of the folder is refused', async (t) => {
  const dir = makeFolder(t);
  for (const name of ['', '../up', 'a/b', 'a\u0000b']) {
    await t.rejects(start(dir, name), { code: 'BAD_NAME', exitCode: 2 });
  }
});
