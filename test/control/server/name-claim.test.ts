import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { fetchStatus } from '../../../src/control/client/exchange.js';
import { connectTo, listSupervisors } from '../../../src/control/client/find.js';
import { LeanServer } from '../../../src/control/lean-http.js';
import { KeptSocket } from '../../../src/control/server/kept-socket.js';
import { removeAbandoned } from '../../../src/control/server/name-claim.js';
import { ControlServer } from '../../../src/control/server/server.js';
import type { HoldfastError } from '../../../src/errors.js';
import { FakeTarget, makeFolder, open, statusOf } from '../support/fake-target.js';

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
    hint: /holdfast reload shop; .*--name/,
  });
  t.same(readdirSync(dir).sort(), ['shop.lock', 'shop.sock'], 'it leaves nothing behind');
  const other = await start(dir, 'shop2');
  await other.close();
});

t.test('that the name is taken is told before it is asked by whom', async (t) => {
  const { dir, target } = await open(t, 'shop');
  let told = 0;
  target.answerStatus = async () => statusOf('shop', { pid: told });
  const onTaken = () => {
    told += 1;
  };
  const second = ControlServer.open({ dir, name: 'shop', target: new FakeTarget('shop'), onTaken });
  await t.rejects(second, { code: 'ALREADY_RUNNING', message: /with PID 1$/ });
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

t.test('what a killed supervisor left can be removed, and nothing of one that runs', async (t) => {
  const dir = makeFolder(t);
  mkdirSync(path.join(dir, 'shop.lock'));
  await leaveDeadSocket(path.join(dir, 'shop.lock', '0123abcd'));
  linkSync(path.join(dir, 'shop.lock', '0123abcd'), path.join(dir, 'shop.sock'));
  await removeAbandoned(dir, 'shop');
  t.same(readdirSync(dir), []);
  await removeAbandoned(dir, 'shop');
  t.same(readdirSync(dir), []);
  await open(t, 'api', dir);
  await removeAbandoned(dir, 'api');
  t.equal((await connectTo(dir, 'api')).name, 'api');
  t.same(readdirSync(dir), ['api.lock', 'api.sock']);
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
  await t.rejects(start(dir, 'shop'), { code: 'PATH_TAKEN', message: /other than a socket/, hint: /--name/ });
  t.equal(readFileSync(file, 'utf8'), 'precious');

  writeFileSync(path.join(dir, 'other.lock'), 'precious');
  await t.rejects(start(dir, 'other'), { code: 'PATH_TAKEN', message: /other than a folder/ });
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

const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

t.test(
  'a claim that cannot be read is an error, and nobody waits for it',
  { skip: isRoot ? false : 'needs root' },
  async (t) => {
    // Root reads everything: another user does not.
    const dir = makeFolder(t);
    mkdirSync(path.join(dir, 'shop.lock/x'), { recursive: true });
    for (const folder of [dir, path.join(dir, 'shop.lock')]) chownSync(folder, NOBODY, NOBODY);
    const program = `
    const [, server, dir] = process.argv;
    const { ControlServer } = await import(server);
    const fs = await import('node:fs');
    fs.chmodSync(dir + '/shop.lock', 0o300);
    const open = ControlServer.open({ dir, name: 'shop', target: {} });
    process.stdout.write(await open.then(() => 'opened', (error) => error.code + ' ' + error.message));
    process.exit();`;
    const server = new URL('../../../dist/control/server/server.js', import.meta.url).href;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program, server, dir], {
      ...{ uid: NOBODY, gid: NOBODY, cwd: '/', stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env.PATH } },
    });
    t.teardown(() => child.kill('SIGKILL'));
    let said = '';
    child.stdout?.on('data', (text) => {
      said += text;
    });
    await once(child, 'close');
    t.match(said, /^PATH_TAKEN .*shop\.lock: it cannot be read \(EACCES\)/);
  },
);

t.test('what lies there is marked so that cleaners leave it alone, and is put back when they do not', async (t) => {
  const dir = makeFolder(t);
  const target = new FakeTarget('shop');
  const told: (string | null)[] = [];
  const server = await ControlServer.open({
    ...{ dir, name: 'shop', target, lookEveryMs: 10 },
    onRestored: (problem) => told.push(problem),
  });
  t.teardown(() => server.close());
  const STICKY = 0o1000;
  for (const file of ['shop.sock', 'shop.lock']) t.ok(lstatSync(path.join(dir, file)).mode & STICKY, file);

  const untilTold = async (count: number) => {
    while (told.length < count) await delay(5);
  };
  rmSync(path.join(dir, 'shop.sock'));
  await untilTold(1);
  t.equal((await (await connectTo(dir, 'shop')).status()).name, 'shop');
  rmSync(dir, { recursive: true });
  await untilTold(2);
  t.equal((await (await connectTo(dir, 'shop')).status()).name, 'shop', 'also where the whole folder was removed');
  t.same(told, [null, null]);
  t.same(readdirSync(dir).sort(), ['shop.lock', 'shop.sock']);

  // A file that is not its own stays, and is told once.
  rmSync(path.join(dir, 'shop.sock'));
  writeFileSync(path.join(dir, 'shop.sock'), 'mine');
  await untilTold(3);
  t.match(told[2], /cannot open control socket .*a file other than a socket is there/);
  await server.close();
  t.same(readdirSync(dir), ['shop.sock'], 'nothing of its own is left');
});

t.test('whoever is closed while it is being put back leaves nothing behind', async (t) => {
  const dir = makeFolder(t);
  let made = 0;
  let restoring = () => {};
  const kept = await KeptSocket.open({
    ...{ dir, name: 'shop', lookEveryMs: 5 },
    makeServer: () => {
      made += 1;
      if (made === 2) restoring();
      return new LeanServer((createServer) => createServer());
    },
  });
  const closed = new Promise<void>((resolve, reject) => {
    restoring = () => void kept.close(() => {}).then(resolve, reject);
  });
  rmSync(path.join(dir, 'shop.sock'));
  await closed;
  t.equal(made, 2);
  t.same(readdirSync(dir), []);
});

t.test('sockets that are called what no supervisor is called are passed over', async (t) => {
  const { dir } = await open(t, 'shop');
  for (const name of [
    'odd\u001b[31mname.sock',
    'with space.sock',
    '-dash.sock',
    '.hidden.sock',
    `${'x'.repeat(70)}.sock`,
  ]) {
    const server = net.createServer().listen(path.join(dir, name));
    await once(server, 'listening');
    t.teardown(() => server.close());
  }
  t.same(
    (await listSupervisors(dir)).map(({ name }) => name),
    ['shop'],
  );
  t.equal((await connectTo(dir)).name, 'shop', 'it is the only one');
});
