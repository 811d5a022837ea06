import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { freePort } from '../support/ports.js';
import { apps, Holdfast, makeRuntimeDir, plainly } from './support/holdfast.js';
import { Load } from './support/load.js';

t.test('a program whose first wait is a unix socket or UDP stays', async (t) => {
  const dir = makeRuntimeDir(t);
  const programs = [
    { KIND: 'unix', ADDRESS: path.join(dir, 'app') },
    { KIND: 'udp', ADDRESS: String(await freePort()) },
    { KIND: 'udp', ADDRESS: '0' },
  ];
  for (const env of programs) {
    const holdfast = new Holdfast(t, path.join(apps, 'first-wait.cjs'), { args: ['--ready', 'message'], env });
    await holdfast.message('started');
    const { workers } = await holdfast.status();
    t.match(workers, [{ state: 'ready', restarts: 0 }], `${env.KIND} ${env.ADDRESS}`);
    t.equal((await holdfast.stop()).code, 0);
  }
});

for (const OPTION of ['exclusive', 'reusePort']) {
  t.test(`a server that listens with ${OPTION} is shared, and reloaded without loss`, async (t) => {
    const SOCKET = path.join(makeRuntimeDir(t), 'app');
    const port = await freePort();
    const env = { OPTION, PORT: String(port), SOCKET };
    const holdfast = new Holdfast(t, path.join(apps, 'exclusive.cjs'), { args: ['-i', '2'], env });
    await holdfast.message('started');
    const load = new Load({ port, fresh: 8, keepAlive: 8 });
    t.teardown(() => load.stop());
    for (let times = 0; times < 3; times++) t.equal((await holdfast.reload()).code, 0);
    await load.stop();
    t.same(load.errors, {}, load.summary());
    t.equal(new Set(load.answers.map(({ generation }) => generation)).size, 4, 'by all generations');
    const again = holdfast.log.filter(({ msg }) => msg.startsWith('AGAIN'));
    t.equal(again[0]?.msg, `AGAIN EADDRINUSE ${port}`, 'twice in one process is an error, as under plain node');
    t.equal((await holdfast.stop()).code, 0);
  });
}

for (const mode of ['reuseport', 'reuseaddr']) {
  t.test(`a unix socket is kept over reload, crash and restart, in ${mode} mode`, async (t) => {
    const SOCKET = path.join(makeRuntimeDir(t), 'app.sock');
    const args = ['-i', '2', '--listen-mode', mode, '--spread', '300ms'];
    const holdfast = new Holdfast(t, path.join(apps, 'unix-server.cjs'), { args, env: { SOCKET } });
    await holdfast.message('started');
    const { addresses, workers } = await holdfast.status();
    t.match(addresses, [{ kind: 'unix', host: SOCKET, port: 0, sockets: [{ slot: null }] }]);
    t.match((await holdfast.run('status')).stdout, `unix:${SOCKET}`);
    t.equal(statSync(SOCKET).mode & 0o777, 0o666);
    const load = new Load({ socketPath: SOCKET, fresh: 8, keepAlive: 0 });
    t.teardown(() => load.stop());
    for (let times = 0; times < 3; times++) t.equal((await holdfast.reload()).code, 0);
    await load.stop();
    t.same(load.errors, {}, load.summary());
    t.equal(new Set(load.answers.map(({ generation }) => generation)).size, 4, 'by all generations');
    t.equal(workers.length, 2);

    const from = holdfast.log.length;
    for (const { pid } of (await holdfast.status()).workers) process.kill(pid ?? 0, 'SIGKILL');
    const patient = new Load({ socketPath: SOCKET, fresh: 2, keepAlive: 0 });
    t.teardown(() => patient.stop());
    await holdfast.message('worker ready', from);
    t.equal((await holdfast.restart()).code, 0);
    await patient.stop();
    t.same(patient.errors, {}, `they wait while nobody is there: ${patient.summary()}`);
    t.equal((await holdfast.stop()).code, 0);
    t.notOk(existsSync(SOCKET), 'it is gone at the end');
  });
}

t.test('a unix socket is shared by the workers of a program that listens with exclusive', async (t) => {
  const SOCKET = path.join(makeRuntimeDir(t), 'app');
  const env = { OPTION: 'exclusive', PORT: String(await freePort()), SOCKET };
  const holdfast = new Holdfast(t, path.join(apps, 'exclusive.cjs'), { args: ['-i', '2'], env });
  await holdfast.message('started');
  const { addresses } = await holdfast.status();
  t.same(addresses.map(({ kind }) => kind).sort(), ['tcp', 'unix']);
  const load = new Load({ socketPath: SOCKET, fresh: 2, keepAlive: 0 });
  t.teardown(() => load.stop());
  t.equal((await holdfast.reload()).code, 0);
  await load.stop();
  t.same(load.errors, {}, load.summary());
  const [{ pid } = { pid: null }] = (await holdfast.status()).workers;
  const from = holdfast.log.length;
  unlinkSync(SOCKET);
  process.kill(pid ?? 0, 'SIGKILL');
  await holdfast.message('worker crashed', from);
  t.ok(existsSync(SOCKET), 'a name that a worker removes at its end is there again at once');
});

t.test(
  'a unix socket whose folder was made anew is bound anew by a reload, and one whose name is taken refuses it',
  async (t) => {
    const dir = path.join(makeRuntimeDir(t), 'run');
    mkdirSync(dir);
    const SOCKET = path.join(dir, 'app.sock');
    const holdfast = new Holdfast(t, path.join(apps, 'unix-server.cjs'), { args: ['-i', '2'], env: { SOCKET } });
    await holdfast.message('started');
    rmSync(dir, { recursive: true });
    mkdirSync(dir);
    t.equal((await holdfast.reload()).code, 0);
    const load = new Load({ socketPath: SOCKET, fresh: 2, keepAlive: 0 });
    t.teardown(() => load.stop());
    t.equal((await holdfast.reload()).code, 0);
    await load.stop();
    t.same(load.errors, {}, load.summary());
    unlinkSync(SOCKET);
    const other = net.createServer();
    await new Promise<void>((resolve) => other.listen(SOCKET, resolve));
    t.teardown(() => other.close());
    const { code, stdout, stderr } = await holdfast.run('reload');
    t.equal(code, 1);
    t.match(stdout + stderr, `cannot listen on unix:${SOCKET}: EADDRINUSE, somebody listens there`);
  },
);

t.test('readableAll and writableAll hold for unix sockets, as under plain node', async (t) => {
  const all = { readableAll: true, writableAll: true };
  const options = {
    none: {},
    all,
    readable: { readableAll: true },
    writable: { writableAll: true },
    exclusive: { ...all, exclusive: true },
    'own-PID': all,
  };
  const script = path.join(apps, 'access.cjs');
  const OPTIONS = JSON.stringify(options);
  const plain = spawn(...plainly([script], { OPTIONS, FOLDER: makeRuntimeDir(t) }));
  t.teardown(() => plain.kill('SIGKILL'));
  const expected: string[] = [];
  for await (const line of createInterface({ input: plain.stdout })) {
    if (expected.push(line) === Object.keys(options).length) break;
  }
  plain.kill('SIGTERM');
  const holdfast = new Holdfast(t, script, { args: ['-i', '1'], env: { OPTIONS, FOLDER: makeRuntimeDir(t) } });
  for (const line of expected) await holdfast.message(line);
  t.match(expected.join(), /ACCESS none 700,/);
});

t.test(
  'a path that is too long for the kernel is listened on where the program names it from its own folder',
  async (t) => {
    const top = makeRuntimeDir(t);
    const folder = path.join(top, ...Array.from({ length: 12 }, () => 'a-folder-of-some-length'));
    mkdirSync(folder, { recursive: true });
    const script = path.join(folder, 'server.cjs');
    copyFileSync(path.join(apps, 'unix-server.cjs'), script);
    const held = openSync(folder, 'r');
    t.teardown(() => closeSync(held));
    // By the folder's descriptor, as a client would in that folder.
    const socketPath = `/proc/${process.pid}/fd/${held}/app.sock`;
    const options = { args: ['-i', '2'], env: { SOCKET: 'app.sock' }, cwd: folder };
    for (const left of [false, true]) {
      if (left) {
        const dead = net.createServer().listen(socketPath);
        await once(dead, 'listening');
        renameSync(path.join(folder, 'app.sock'), path.join(folder, 'kept'));
        await new Promise((resolve) => dead.close(resolve));
        renameSync(path.join(folder, 'kept'), path.join(folder, 'app.sock'));
      }
      const holdfast = new Holdfast(t, script, options);
      await holdfast.message('started');
      t.match((await holdfast.status()).addresses, [{ kind: 'unix', host: path.join(folder, 'app.sock') }]);
      const load = new Load({ socketPath, fresh: 2, keepAlive: 0 });
      t.match(await holdfast.reload(), { code: 0 });
      await load.stop();
      t.same(load.errors, {}, load.summary());
      t.ok(load.answers.length > 0);
      t.match(await holdfast.stop(), { code: 0 });
      t.notOk(existsSync(path.join(folder, 'app.sock')), 'it is gone at the end');
      t.same(readdirSync(folder), ['server.cjs']);
    }
  },
);
