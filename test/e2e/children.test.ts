/** What a worker starts, when the worker goes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import t, { type Test } from 'tap';
import { freePort } from '../support/ports.js';
import { ask, askBegin } from './support/ask.js';
import { apps, Holdfast, plainly, root } from './support/holdfast.js';
import { endWith, haveEnded, isRunning } from './support/processes.js';

t.jobs = 2;

const script = path.join(apps, 'children.cjs');
/** What is deaf to SIGTERM is killed by then. */
const QUICK = ['--kill-timeout', '300ms'];

interface Family {
  readonly pid: number;
  readonly plain: number;
  readonly deaf: number;
  readonly detached: number;
}

async function familyOf(t: Test, port: number): Promise<Family> {
  const family = (await ask(port)) as Family;
  endWith(t, family.plain, family.deaf, family.detached);
  return family;
}

async function begin(t: Test, args: readonly string[] = QUICK) {
  const port = await freePort();
  const holdfast = new Holdfast(t, script, { args, env: { PORT: String(port) } });
  await holdfast.message('started');
  return { port, holdfast, family: await familyOf(t, port) };
}

const running = ({ plain, deaf, detached }: Family) => [plain, deaf, detached].map(isRunning);

t.test('plain node leaves them behind when it is ended', async (t) => {
  const port = await freePort();
  const child = spawn(...plainly([script], { PORT: String(port) }), { cwd: root, stdio: 'ignore' });
  endWith(t, child.pid ?? 0);
  let family: Family | undefined;
  while (family === undefined) family = await familyOf(t, port).catch(() => undefined);
  child.kill('SIGTERM');
  await once(child, 'exit');
  t.same(running(family), [true, true, true]);
});

t.test('a reload ends what the old worker has started, but for what has a session of its own', async (t) => {
  const { port, holdfast, family } = await begin(t);
  t.equal((await holdfast.run('reload')).code, 0);
  await haveEnded(family.pid, family.plain, family.deaf);
  t.same(running(family), [false, false, true]);
  const next = await familyOf(t, port);
  t.same(running(next), [true, true, true], 'what the new one has started is left alone');
  await holdfast.message('processes left behind are killed');
  t.match(holdfast.lines('processes left behind are killed'), [{ slot: 0, generation: 1, pids: [family.deaf] }]);
  t.equal((await holdfast.run('stop')).code, 0);
  t.equal(await holdfast.closed, 0);
  t.same(running(next), [false, false, true], 'nor does a stop leave anything');
});

t.test('a restart begins the next generation once nobody of the old one is left', async (t) => {
  const { port, holdfast, family } = await begin(t);
  t.equal((await holdfast.run('restart')).code, 0);
  const words = ['processes left behind are killed', 'worker started'];
  t.same(
    holdfast.log.map(({ msg }) => msg).filter((msg) => words.includes(msg)),
    ['worker started', 'processes left behind are killed', 'worker started'],
  );
  t.same(running(family), [false, false, true]);
  t.same(running(await familyOf(t, port)), [true, true, true]);
  t.same(holdfast.lines('worker outlives SIGKILL'), []);
});

t.test('SIGINT ends all of it before the supervisor has ended; a second one at once', async (t) => {
  const { holdfast, family } = await begin(t, ['--kill-timeout', '10m']);
  holdfast.child.kill('SIGINT');
  await holdfast.message('processes left behind are asked to end');
  await haveEnded(family.plain);
  t.ok(isRunning(family.deaf), 'it has its time');
  holdfast.child.kill('SIGINT');
  t.equal(await holdfast.closed, 0);
  t.same(running(family), [false, false, true]);
});

t.test('a worker that is killed leaves nothing behind either', async (t) => {
  const { port, holdfast, family } = await begin(t);
  process.kill(family.pid, 'SIGKILL');
  await haveEnded(family.plain, family.deaf);
  t.ok(isRunning(family.detached));
  await holdfast.line(({ msg, worker }) => msg === 'worker ready' && worker === 2);
  t.same(running(await familyOf(t, port)), [true, true, true]);
});

t.test('keepChildren: they live on', async (t) => {
  const { holdfast, family } = await begin(t, [...QUICK, '--keep-children']);
  t.equal((await holdfast.run('reload')).code, 0);
  const second = await familyOf(t, (await holdfast.status()).addresses[0]?.port ?? 0);
  await haveEnded(family.pid);
  t.equal((await holdfast.run('stop')).code, 0);
  t.equal(await holdfast.closed, 0);
  t.same(running(family), [true, true, true]);
  t.same(running(second), [true, true, true]);
});

t.test('a supervisor that is killed takes along what ends on SIGTERM', async (t) => {
  const { holdfast, family } = await begin(t);
  holdfast.child.kill('SIGKILL');
  await haveEnded(family.pid, family.plain);
  t.same(running(family), [false, true, true]);
});

t.test('where it is to keep them, a supervisor that is killed takes nothing along', async (t) => {
  const { holdfast, family } = await begin(t, ['--keep-children']);
  holdfast.child.kill('SIGKILL');
  await haveEnded(family.pid);
  t.same(running(family), [true, true, true]);
});

for (const args of [QUICK, [...QUICK, '--keep-children']]) {
  t.test(`so it is with a worker that has called cluster.worker.disconnect() (${args.at(-1)})`, async (t) => {
    const { port, holdfast, family } = await begin(t, args);
    endWith(t, family.pid);
    const { begun, answered } = askBegin(port, '/leave');
    // It drains for as long as that request is open.
    answered.catch(() => {});
    await begun;
    await holdfast.message('worker draining');
    // Its successor has some as well.
    endWith(t, (await familyOf(t, port)).pid);
    holdfast.child.kill('SIGKILL');
    await haveEnded(family.pid);
    if (args === QUICK) await haveEnded(family.plain);
    t.same(running(family), [args !== QUICK, true, true]);
  });
}

t.test('a start that fails leaves no server of a child behind, and its port is free', async (t) => {
  const port = await freePort();
  const env = { PORT: String(port), WRAPS: '1' };
  const holdfast = new Holdfast(t, script, { args: [...QUICK, '--ready-timeout', '8s'], env });
  const { msg } = await holdfast.line(({ msg }) => /^child \d+$/.test(msg));
  const child = Number(msg.slice('child '.length));
  endWith(t, child);
  t.equal(await holdfast.closed, 1);
  t.notOk(isRunning(child));
  const server = net.createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  server.close();
});
