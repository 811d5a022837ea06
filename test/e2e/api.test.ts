/** A supervisor that a program starts, and a program that asks one. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { connect, list, type SupervisorEvent } from '../../src/api/client.js';
import { faultsOf } from '../control/support/api.js';
import { freePort } from '../support/ports.js';
import { ask } from './support/ask.js';
import { accepts, ENV, EXAMPLE, hostOf, SERVER, supervisorOf } from './support/embedded.js';
import { Holdfast, makeRuntimeDir, plainly, root } from './support/holdfast.js';
import { endWith, haveEnded, isRunning } from './support/processes.js';

t.jobs = 2;

t.test('it starts, tells what happens, reloads, scales and stops', async (t) => {
  const port = await freePort();
  const shop = supervisorOf(t, { env: { PORT: port } });
  const seen: SupervisorEvent[] = [];
  shop.on('event', (event) => seen.push(event));
  const ended = once(shop, 'ended');
  const done = once(shop, 'rolloutDone');
  t.equal(shop.pid, null);
  t.throws(() => shop.reload(), { code: 'NOT_STARTED' });
  t.same(await shop.start(), { name: 'shop', size: 2, ready: 2, addresses: [{ host: '127.0.0.1', port }] });
  await t.rejects(shop.start(), { code: 'ALREADY_STARTED' });
  t.match(await ask(port), { generation: '1' });

  const steps: string[] = [];
  for await (const { message } of shop.reload()) steps.push(message);
  t.ok(steps.includes('rollout started') && steps.includes('rollout done'), steps.join(', '));
  t.match(await done, [{ from: 1, to: 2 }]);
  t.match(await ask(port), { generation: '2' });
  t.match(await shop.scale('+1'), { ok: true, message: 'scaled to 3' });
  const status = await shop.status();
  t.match(status, { size: 3, generation: 2, pid: shop.pid });
  t.same(faultsOf('Status', status), [], 'the real status is as config/openapi.yaml describes it');
  await t.rejects(Promise.resolve(shop.scale(0)), { code: 'FAILED', message: /^cannot scale by "0": / });

  const pid = shop.pid ?? 0;
  await shop.stop();
  t.same(await ended, [{ code: 0, signal: null }]);
  t.equal(isRunning(pid), false);
  await shop.stop();
  for (const { id, type, ...data } of seen) t.same(faultsOf('Event', { id: String(id), event: type, data }), [], type);
  const types = seen.map(({ type }) => type);
  t.equal(types[0], 'snapshot');
  for (const type of [
    'rolloutBegun',
    'workerSpawned',
    'workerReady',
    'workerDraining',
    'workerExited',
    'sizeChanged',
  ]) {
    t.ok(types.includes(type as never), type);
  }
  t.equal(types.filter((type) => type === 'rolloutProgress').length, 2);
});

t.test('a client describes, profiles and inspects a worker, and has the last log lines', async (t) => {
  const shop = supervisorOf(t, { env: { PORT: await freePort() } });
  await shop.start();
  const { client } = shop;
  const description = await client.describe({ of: 0 });
  t.same(faultsOf('Description', description), [], 'as config/openapi.yaml describes it');
  t.match(description, { status: { name: 'shop' }, worker: 1 });
  t.match(
    description.settings.find(({ name }) => name === 'instances'),
    { value: '2', source: 'options', path: 'instances' },
  );
  await t.rejects(client.describe({ of: 99 }), {
    code: 'REFUSED',
    hint: 'which there are: holdfast status --name shop',
  });

  const file = path.join(t.testdir({}), 'shop.cpuprofile');
  t.match(await client.profile({ what: 'cpu', file, forMs: 100 }), { ok: true });
  t.ok(JSON.parse(readFileSync(file, 'utf8')).nodes.length > 0);
  await t.rejects(Promise.resolve(client.profile({ what: 'cpu', file })), { code: 'PROFILE_UNWRITABLE' });
  await t.rejects(Promise.resolve(client.profile({ of: 99, what: 'heap', file: `${file}.2` })), { code: 'FAILED' });
  t.notOk(existsSync(`${file}.2`), 'nothing is left of one that failed');

  const { url, worker, close } = await client.inspect(0);
  t.equal(worker, 1);
  const port = Number(new URL(url).port);
  t.ok(await accepts(port), url);
  await close();
  await (await client.inspect(0)).close();
  while (await accepts(port));
  await t.rejects(client.inspect(99), { code: 'FAILED', message: /^cannot inspect shop: there is no worker 99/ });

  const messages: string[] = [];
  for await (const { msg } of client.logs({ lines: 1_000, follow: false, level: 'info' })) messages.push(msg);
  t.ok(messages.includes('supervisor started'), messages.join(', '));
});

t.test('a client replaces the supervisor itself, unless a program holds on to it', async (t) => {
  const holdfast = new Holdfast(t, SERVER, {
    args: ['--name', 'shop', '-i', '1'],
    env: { PORT: String(await freePort()), HOLDFAST_ORPHAN_TIMEOUT: '1m' },
  });
  await holdfast.message('started');
  const client = await connect({ runtimeDir: holdfast.runtimeDir });
  const before = await client.status();
  const steps: string[] = [];
  const task = client.upgrade({ node: process.execPath });
  for await (const { message } of task) steps.push(message);
  t.match(await task, { ok: true, message: 'upgraded' });
  t.ok(steps.length > 0);
  const now = await client.status({ figures: true });
  t.match(now, { pid: before.pid, upgrade: { last: { failure: null, done: true } } });
  t.equal(now.workers[0]?.pid, before.workers[0]?.pid);
  t.type(now.workers[0]?.figures?.answers, 'number');
  t.equal((await client.status()).workers[0]?.figures, undefined);
  await t.rejects(Promise.resolve(client.upgrade({ node: '/nonexistent/node' })), {
    code: 'FAILED',
    message: /^cannot upgrade shop: /,
  });
  const shop = supervisorOf(t, { env: { PORT: await freePort() }, instances: 1 });
  await shop.start();
  await t.rejects(Promise.resolve(shop.client.upgrade()), {
    message: 'cannot upgrade shop: the program that has started it holds a channel to it',
  });
});

t.test(
  'one that may outlive its program is stopped by it all the same, also where somebody else has been faster',
  async (t) => {
    for (const isStopped of [false, true]) {
      const shop = supervisorOf(t, { env: { PORT: await freePort() }, instances: 1 }, { outlives: true });
      await shop.start();
      const pid = shop.pid ?? 0;
      endWith(t, pid);
      const ended = once(shop, 'ended');
      if (isStopped) await shop.client.stop();
      await shop.stop();
      t.same(await ended, [{ code: 0, signal: null }]);
      t.equal(isRunning(pid), false);
    }
  },
);

t.test('options are checked by the schema, all faults at once; what cannot start says why', async (t) => {
  const wrong = supervisorOf(t, { surge: 0, instances: 'three', nonsense: 1 });
  await t.rejects(wrong.start(), {
    code: 'CONFIG_INVALID',
    message:
      /^cannot use the configuration: 3 faults\n {2}options\n {4}nonsense .*\n {4}instances: "three" .*\n {4}surge: 0 /,
  });
  t.equal(wrong.pid, null, 'it may be started once more, with others');
  const file = path.join(t.testdir({ 'crash.cjs': 'process.exit(3);' }), 'crash.cjs');
  await t.rejects(supervisorOf(t, { script: file }).start(), {
    code: 'START_FAILED',
    message: /^cannot start .*crash\.cjs: /,
  });
  await t.rejects(supervisorOf(t, { env: { LARGE: 'x'.repeat(128 * 1024) } }).start(), {
    code: 'CONFIG_INVALID',
    message: /larger/,
  });
  await t.rejects(supervisorOf(t, {}, { cwd: '/nonexistent/folder' }).start(), {
    code: 'START_FAILED',
    message: /ENOENT/,
  });
});

t.test('workers see nothing of the options, nor of who has started the supervisor', async (t) => {
  const port = await freePort();
  const script = path.join(
    t.testdir({
      'env.cjs': `require('node:http').createServer((_, response) => response.end(JSON.stringify(process.env)))
        .listen(process.env.PORT, '127.0.0.1');`,
    }),
    'env.cjs',
  );
  const env = {
    ...ENV,
    NOTIFY_SOCKET: '/run/of-the-host',
    HOLDFAST_SLOT: '7',
    HOLDFAST_NAME: 'host',
    NODE_APP_INSTANCE: '7',
  };
  const shop = supervisorOf(t, { script, instances: 1, env: { PORT: port, SECRET: 'open sesame' } }, { env });
  await shop.start();
  const seen = (await ask(port)) as Record<string, string>;
  t.match(seen, { SECRET: 'open sesame', HOLDFAST_NAME: 'shop', HOLDFAST_SLOT: '0', NODE_APP_INSTANCE: '0' });
  t.same(
    Object.keys(seen).filter((name) => /^(?:HOLDFAST_(?:OPTIONS|HOST)|NOTIFY_SOCKET|NODE_CHANNEL_FD)$/.test(name)),
    ['NODE_CHANNEL_FD'].filter((name) => name in seen),
  );
  await shop.reload();
  t.match(await ask(port), { SECRET: 'open sesame', HOLDFAST_GENERATION: '2' }, 'a reload has the options as well');
});

t.test('a client finds it by name and by path, and hears what it hears', async (t) => {
  const shop = supervisorOf(t, { env: { PORT: await freePort() }, instances: 1 });
  await shop.start();
  const { socketPath } = shop.client;
  const runtimeDir = path.dirname(socketPath);
  t.match(await list({ runtimeDir }), [{ name: 'shop', status: { size: 1 } }]);
  t.equal((await connect({ runtimeDir })).name, 'shop');
  await t.rejects(connect({ runtimeDir, name: 'shpo' }), { code: 'NO_SUPERVISOR', hint: /did you mean shop/ });
  await t.rejects(connect(`${socketPath}.no`), { code: 'NO_SUPERVISOR', exitCode: 3 });
  const client = await connect(socketPath);
  const interrupt = new AbortController();
  const { signal } = interrupt;
  const logs = client.logs({ signal });
  const first = logs.next();
  const events = client.events({ signal });
  t.match((await events.next()).value, { type: 'snapshot', name: 'shop', workers: [{ slot: 0, state: 'ready' }] });
  t.match(await client.scale(2), { ok: true });
  t.match((await events.next()).value, { type: 'sizeChanged', from: 1, to: 2 });
  const line = (await first).value;
  t.type(line?.msg, 'string');
  t.same(faultsOf('LogLine', line), []);
  interrupt.abort();
  // What had come already is told.
  for await (const { type } of events) t.match(type, /^worker/);
});

t.test('the example: it reloads on SIGHUP, and Ctrl-C ends both', async (t) => {
  const port = await freePort();
  const { child, said } = hostOf(t, EXAMPLE, { PORT: String(port), HOLDFAST_RUNTIME_DIR: makeRuntimeDir(t) });
  await said(new RegExp(`^2 workers on port ${port}$`));
  child.kill('SIGHUP');
  await said(/^2 of 2 replaced$/);
  await said(/^generation 2 serves$/);
  t.match(await ask(port), { generation: '2' });
  const closed = once(child, 'close');
  child.kill('SIGINT');
  await said(/^ended with 0$/);
  t.same(await closed, [0, null]);
});

t.test('when the program is killed the supervisor stops; it goes on where it was asked to', async (t) => {
  for (const outlives of [false, true]) {
    const runtimeDir = makeRuntimeDir(t);
    const port = await freePort();
    const options = { name: 'shop', script: SERVER, instances: 1, env: { PORT: port } };
    const file = path.join(runtimeDir, 'host.mjs');
    writeFileSync(
      file,
      `import { Supervisor } from ${JSON.stringify(path.join(root, 'dist/api/supervisor.mjs'))};
       const shop = new Supervisor(${JSON.stringify(options)}, { output: 'ignore', outlives: ${outlives} });
       await shop.start();
       console.log('pid ' + shop.pid);
       setInterval(() => {}, 1e6);`,
    );
    const { child, said } = hostOf(t, file, { HOLDFAST_RUNTIME_DIR: runtimeDir });
    const pid = Number((await said(/^pid /)).slice(4));
    endWith(t, pid);
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
    if (outlives) {
      t.match(await ask(port), { generation: '1' });
      await (await connect({ runtimeDir })).reload();
      t.match(await ask(port), { generation: '2' }, 'it has its options still');
      await (await connect({ runtimeDir })).stop();
    }
    await haveEnded(pid);
    t.same(
      readdirSync(runtimeDir).filter((name) => name.endsWith('.sock')),
      [],
      'and has cleaned up',
    );
  }
});

t.test('loading it starts nothing, and listens to nothing in the program', async (t) => {
  const script = `const names = () => process.eventNames().map(String).sort().join();
    const before = names();
    await import('holdfast/supervisor');
    await import('holdfast/client');
    if (names() !== before) throw new Error('listeners: ' + names());
    // Nothing is open: the process ends by itself.
    console.log('nothing');`;
  const [command, args] = plainly(['--input-type=module', '-e', script]);
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  t.same(await once(child, 'close'), [0, null]);
  t.equal(said, 'nothing\n');
});
