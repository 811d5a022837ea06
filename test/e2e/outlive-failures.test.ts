/** What can go wrong while workers are taken over, one thing after the other: the workers are the same to the end. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import t, { type Test } from 'tap';
import { freePort } from '../support/ports.js';
import { ask } from './support/ask.js';
import { apps, Holdfast, makeRuntimeDir, plainly, run } from './support/holdfast.js';
import { endWith } from './support/processes.js';

const survivor = path.join(apps, 'survivor.cjs');
const isRoot = process.getuid?.() === 0;
const hasPrlimit = spawnSync('prlimit', ['--version']).status === 0;

interface Shop {
  readonly runtimeDir: string;
  readonly port: number;
  readonly pids: readonly number[];
  start(args?: readonly string[], nodeArgs?: readonly string[]): Holdfast;
}

/** Two workers that serve on, without a supervisor. */
async function openShop(t: Test): Promise<Shop> {
  const runtimeDir = makeRuntimeDir(t);
  const port = await freePort();
  const env = { PORT: String(port), HOLDFAST_ORPHAN_TIMEOUT: '2m' };
  const start = (args: readonly string[] = [], nodeArgs: readonly string[] = []) =>
    new Holdfast(t, survivor, {
      ...{ runtimeDir, env, nodeArgs },
      args: ['--name', 'shop', '-i', '2', '--listen-mode', 'reuseaddr', ...args],
    });
  const first = start();
  await first.message('started');
  const pids = await pidsOf(first);
  endWith(t, ...pids);
  await kill(first);
  return { runtimeDir, port, pids, start };
}

async function pidsOf(holdfast: Holdfast): Promise<number[]> {
  return (await holdfast.status()).workers.map(({ pid }) => pid ?? 0).sort((a, b) => a - b);
}

async function kill(holdfast: Holdfast): Promise<void> {
  holdfast.child.kill('SIGKILL');
  await holdfast.closed;
}

t.test('a state that cannot be read, two that want the workers, a start that fails, no koffi', async (t) => {
  const { runtimeDir, port, pids, start } = await openShop(t);
  const state = path.join(runtimeDir, 'shop.state');
  const written = readFileSync(state, 'utf8');
  t.same(
    JSON.parse(written)
      .workers.map(({ pid }: { pid: number }) => pid)
      .sort(),
    [...pids].sort(),
    'it has its workers',
  );
  writeFileSync(state, written.slice(0, written.length / 2));

  const rivals = [start(), start()];
  const loser = await Promise.race(rivals.map((one) => one.closed.then(() => one)));
  t.equal(loser.child.exitCode, 1);
  t.match(loser.stderr, /cannot start shop: a supervisor of this name runs/);
  t.same(loser.lines('worker attached'), [], 'one of them has all');
  const winner = rivals.find((one) => one !== loser) as Holdfast;
  await winner.message('started');
  t.match(winner.lines('cannot read the state of the previous supervisor'), [{ reason: 'it is not JSON' }]);
  t.same(await pidsOf(winner), pids);
  t.equal((await winner.run('scale', '3')).code, 0);
  t.equal((await winner.run('scale', '2')).code, 0);
  await kill(winner);

  // A version to come may write what this one must not read.
  writeFileSync(state, JSON.stringify({ ...JSON.parse(readFileSync(state, 'utf8')), format: 2 }));
  const taken = net.createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.teardown(() => taken.close());
  const failing = start(['--admin', `127.0.0.1:${(taken.address() as net.AddressInfo).port}`]);
  t.equal(await failing.closed, 1);
  const { code, stdout } = await run(['status'], { runtimeDir });
  t.match({ code, stdout }, { code: 3, stdout: /2 workers serve on/ }, 'who fails leaves them to the next one');
  t.match(await ask(port), { disconnects: 0 });

  const hide = `const Module = require('node:module');
    const { _load } = Module;
    Module._load = function (request, ...rest) {
      if (/^(?:koffi$|@koromix)/.test(request)) throw Object.assign(new Error('hidden by the test'), { code: 'MODULE_NOT_FOUND' });
      return _load.call(this, request, ...rest);
    };`;
  const without = start([], ['--require', path.join(t.testdir({ 'hide.cjs': hide }), 'hide.cjs')]);
  await without.message('started');
  t.match(without.lines('cannot read the state of the previous supervisor'), [{ reason: /format must be one of 1/ }]);
  t.same(await pidsOf(without), pids, 'a peer is judged by its folder and its environment then');
  t.match(await ask(port), { connected: true, disconnects: 0 });
  await without.end();
  t.same(readdirSync(runtimeDir), []);
});

t.test('more output than a pipe holds, while nobody reads it', async (t) => {
  const { port, pids, start } = await openShop(t);
  // In one turn, far more than the kernel keeps for it.
  const flood = 'flood'.padEnd(1_000, '!');
  t.match(await ask(port, `/print?text=${flood}&times=2000`), { connected: true });
  for (let i = 0; i < 10; i++) t.match(await ask(port), { disconnects: 0 });
  const next = start();
  await next.message('started');
  t.same(await pidsOf(next), pids);
  await ask(port, '/print?text=afterwards');
  await next.message('afterwards');
  const lines = next.lines(flood).length;
  t.ok(lines > 100, `the newest lines are there: ${lines}`);
});

t.test('a worker without a free descriptor comes once it has one', { skip: !hasPrlimit }, async (t) => {
  const { pids, start } = await openShop(t);
  const [poor = 0] = pids;
  const limit = (count: number) => spawnSync('prlimit', ['--pid', String(poor), `--nofile=${count}:`]).status;
  // Not one more than it has.
  t.equal(limit(readdirSync(`/proc/${poor}/fd`).length), 0);
  const next = start();
  await next.line(({ msg, pid }) => msg === 'worker attached' && pid !== poor);
  t.equal(limit(1_000), 0);
  await next.line(({ msg, pid }) => msg === 'worker attached' && pid === poor);
  await next.message('started');
  t.same(await pidsOf(next), pids);
});

t.test('what another user has started is not waited for, and left alone', { skip: !isRoot }, async (t) => {
  const { runtimeDir, pids, start } = await openShop(t);
  const own = Object.fromEntries(
    readFileSync(`/proc/${pids[0]}/environ`, 'latin1')
      .split('\0')
      .filter((entry) => entry.startsWith('HOLDFAST_'))
      .map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );
  const [command, words] = plainly(
    ['-e', "require('net').createServer().listen(0, '127.0.0.1', () => console.log('listens'))"],
    { ...own, HOLDFAST_WORKER: '999999', HOLDFAST_GENERATION: '999999' },
  );
  const forged = spawn('setpriv', ['--reuid=65534', '--clear-groups', command, ...words], { cwd: '/' });
  t.teardown(() => forged.kill('SIGKILL'));
  await once(forged.stdout, 'data');
  t.match((await run(['status', '--name', 'shop'], { runtimeDir })).stdout, /2 workers serve on/);
  const next = start();
  await next.message('started');
  t.match(next.lines('taking over workers'), [{ workers: 2 }]);
  t.match(next.lines('a program of another user looks like a worker of this supervisor, and is left alone'), [
    { pid: forged.pid },
  ]);
  t.equal((await next.run('reload')).code, 0);
  t.match(await next.status(), { generation: 2 }, 'it has no say in numbers');
  t.equal(forged.exitCode ?? forged.signalCode, null);
});
