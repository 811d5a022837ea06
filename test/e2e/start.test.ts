import { readdirSync, readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { freePort } from '../support/ports.js';
import { apps, Holdfast, makeRuntimeDir, run } from './support/holdfast.js';

const moody = path.join(apps, 'moody.cjs');

/** What is told to a unix socket, one text a connection, in the order in which it came. */
async function listenFor(t: Test): Promise<{ file: string; next: () => Promise<string> }> {
  const file = path.join(makeRuntimeDir(t), 'told');
  const told: Promise<string>[] = [];
  let wake = () => {};
  const server = net.createServer((socket) => {
    told.push(text(socket));
    wake();
  });
  await new Promise<void>((resolve) => server.listen(file, resolve));
  t.teardown(() => server.close());
  const next = async () => {
    while (told.length === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return (await told.shift()) ?? '';
  };
  return { file, next };
}

t.test('what has read the configuration does not stay in the supervisor', async (t) => {
  const { file, next } = await listenFor(t);
  const dir = t.testdir({
    'spy.cjs': `if (process.argv[1]?.endsWith('holdfast.js')) process.on('SIGWINCH', () => {
      require('node:net').connect(process.env.TOLD).end(Object.keys(require.cache).join('\\n'));
    });`,
    'shop.yaml': `script: ${moody}\n`,
  });
  const port = await freePort();
  const holdfast = new Holdfast(t, path.join(dir, 'shop.yaml'), {
    env: { PORT: String(port), TOLD: file },
    nodeArgs: ['--require', path.join(dir, 'spy.cjs')],
  });
  await holdfast.message('started');
  process.kill(holdfast.pid, 'SIGWINCH');
  const loaded = (await next()).split('\n').map((one) => path.basename(one));
  t.ok(loaded.includes('run.cjs'), 'the supervisor itself is there');
  t.same(
    loaded.filter((name) => /^(?:dispatch|load|flags|croner|lib-(?:zod|yaml|yargs-parser))/.test(name)),
    [],
  );
});

t.test('the worker that is forked before the supervisor is worker 1, and the only one of its slot', async (t) => {
  const holdfast = new Holdfast(t, moody, { args: ['-i', '2'], env: { PORT: String(await freePort()) } });
  await holdfast.message('started');
  const started = holdfast.lines('worker started').map(({ worker, slot, pid }) => ({ worker, slot, pid: Number(pid) }));
  t.match(started, [
    { worker: 1, slot: 0 },
    { worker: 2, slot: 1 },
  ]);
  const children = readFileSync(`/proc/${holdfast.pid}/task/${holdfast.pid}/children`, 'utf8').trim().split(' ');
  t.same(children.map(Number).sort(), started.map(({ pid }) => pid).sort());
});

t.test('a supervisor that cannot start leaves no worker behind', async (t) => {
  const taken = net.createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  t.teardown(() => taken.close());
  const { port } = taken.address() as net.AddressInfo;
  const mark = `of-test-${process.pid}-${port}`;
  const { code, stderr } = await run(['start', moody, '--admin', `127.0.0.1:${port}`], {
    runtimeDir: makeRuntimeDir(t),
    env: { MARK: mark, PORT: String(await freePort()) },
  });
  t.equal(code, 1);
  t.match(stderr, /cannot/);
  while (processesWith(mark) > 0) await new Promise((resolve) => setImmediate(resolve));
  t.pass('it is gone');
});

t.test('an application that is started twice by mistake does not even begin the second time', async (t) => {
  const { file, next } = await listenFor(t);
  const dir = t.testdir({
    'app.cjs': `require('node:net').connect(process.env.TOLD).end(process.env.WHICH);
      require('node:http').createServer((_, response) => response.end()).listen(process.env.PORT);`,
  });
  const runtimeDir = makeRuntimeDir(t);
  const args = ['--name', 'shop'];
  const app = path.join(dir, 'app.cjs');
  const env = { TOLD: file, PORT: String(await freePort()) };
  const holdfast = new Holdfast(t, app, { args, runtimeDir, env: { ...env, WHICH: 'first' } });
  await holdfast.message('started');
  t.equal(await next(), 'first');
  const second = await run(['start', app, ...args], { runtimeDir, env: { ...env, WHICH: 'second' } });
  t.match(second, { code: 1, stderr: /a supervisor of this name runs/ });
  const at = holdfast.log.length;
  t.equal((await holdfast.run('reload')).code, 0);
  await holdfast.message('worker started', at);
  t.equal(await next(), 'first', 'nobody told anything in between');
});

/** How many there are that have the text in their environment; those that have ended have none. */
function processesWith(mark: string): number {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(mark);
    } catch {
      return false;
    }
  }).length;
}

/** Once the process has a child. */
async function hasForked(pid: number): Promise<void> {
  while (readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8') === '') await delay(1);
}

const skip = process.platform === 'linux' ? false : 'needs /proc';

t.test(
  'SIGHUP while it starts reloads once the workers start: it may have read an older configuration',
  { skip },
  async (t) => {
    const port = await freePort();
    const holdfast = new Holdfast(t, moody, { args: ['-i', '2'], env: { PORT: String(port) } });
    await hasForked(holdfast.pid);
    for (let i = 0; i < 3; i++) holdfast.child.kill('SIGHUP');
    await holdfast.message('rollout done');
    t.equal((await holdfast.status()).generation, 2);
  },
);

t.test('SIGTERM while it takes its name leaves nothing in the runtime folder', { skip }, async (t) => {
  for (let i = 0; i < 8; i++) {
    const holdfast = new Holdfast(t, moody, { env: { PORT: String(await freePort()) } });
    const { runtimeDir, child } = holdfast;
    while (!readdirSync(runtimeDir).some((file) => file.endsWith('.lock'))) await delay(1);
    child.kill('SIGTERM');
    t.ok([0, 143].includes((await holdfast.closed) ?? -1));
    t.same(readdirSync(runtimeDir), []);
  }
});
