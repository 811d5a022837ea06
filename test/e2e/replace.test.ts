/** A supervisor takes the place of one that runs; its workers and their connections stay until the rollout. */
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import t, { type Test } from 'tap';
import type { SupervisorStatus } from '../../src/protocol/status.js';
import { freePort } from '../support/ports.js';
import { ask } from './support/ask.js';
import { apps, Holdfast, makeRuntimeDir, run } from './support/holdfast.js';
import { installInto } from './support/install.js';
import { Echo, haveAnswered, Keeping } from './support/kept-clients.js';
import { Load } from './support/load.js';
import { endWith, haveEnded } from './support/processes.js';
import { serversEnv } from './support/servers.js';

const survivor = path.join(apps, 'survivor.cjs');

function pidsOf({ workers }: SupervisorStatus): number[] {
  return workers.map(({ pid }) => pid ?? 0).sort((a, b) => a - b);
}

interface Shop {
  readonly runtimeDir: string;
  readonly port: number;
  readonly env: Readonly<Record<string, string>>;
  start(args: readonly string[], more?: { script?: string; cwd?: string; bin?: string }): Holdfast;
}

async function openShop(t: Test, more: Readonly<Record<string, string>> = {}): Promise<Shop> {
  const runtimeDir = makeRuntimeDir(t);
  const port = await freePort();
  const env = { PORT: String(port), HOLDFAST_ORPHAN_TIMEOUT: '1m', HOLDFAST_DRAIN_TIMEOUT: '20s', ...more };
  return {
    ...{ runtimeDir, port, env },
    start: (args, { script = survivor, ...more } = {}) =>
      new Holdfast(t, script, { runtimeDir, args: ['--name', 'shop', '-i', '2', ...args], env, ...more }),
  };
}

/** Its own supervisor is told to be of another version. */
function anotherVersion(t: Test, version: string): string {
  const folder = makeRuntimeDir(t);
  installInto(folder);
  const own = path.join(folder, 'node_modules/holdfast');
  const manifest = path.join(own, 'package.json');
  writeFileSync(manifest, JSON.stringify({ ...JSON.parse(readFileSync(manifest, 'utf8')), version }));
  return path.join(own, 'bin/holdfast.js');
}

t.test('five in a row, from other folders and of another version, under clients of all kinds', async (t) => {
  const shop = await openShop(t);
  const tlsPort = await freePort();
  const { TLS_KEY = '', TLS_CERT = '' } = serversEnv(makeRuntimeDir(t), 0);
  const env = { ...shop.env, TLS_PORT: String(tlsPort), TLS_KEY, TLS_CERT };
  const folders = t.testdir();
  const start = (at: number, args: readonly string[] = [], bin?: string) => {
    const cwd = path.join(folders, String(at));
    mkdirSync(cwd);
    copyFileSync(survivor, path.join(cwd, 'app.cjs'));
    const own = { ...env, RELEASE: String(at) };
    const { runtimeDir } = shop;
    return new Holdfast(t, 'app.cjs', {
      ...{ runtimeDir, cwd, env: own, args: ['--name', 'shop', '-i', '2', ...args] },
      ...(bin !== undefined && { bin }),
    });
  };
  let now = start(0);
  await now.message('started');
  const load = new Load({ port: shop.port, fresh: 8, keepAlive: 8, perSecond: 200 });
  t.teardown(() => load.stop());
  const other = anotherVersion(t, '9.9.9');
  for (let i = 1; i <= 5; i++) {
    const before = await now.status();
    const pids = pidsOf(before);
    endWith(t, ...pids);
    const kept = [new Keeping(http, shop.port), new Keeping(https, tlsPort)];
    const echoes = [1, 2, 3, 4].map(() => new Echo(shop.port));
    t.teardown(() => {
      for (const echo of echoes) echo.end();
    });
    await haveAnswered([...kept, ...echoes], 3);

    const next = start(i, ['--replace', '--trial', '1s'], i === 3 ? other : undefined);
    await next.message('rollout started');
    t.equal(await now.closed, 0, 'the one before ends well');
    t.equal(now.lines('supervisor ends: its workers serve on, and another one takes them over').length, 1);
    await haveAnswered([...kept, ...echoes], 3);
    for (const client of kept) t.match(client, { connections: 1, errors: [] }, 'no connection is closed by it');
    for (const echo of echoes) {
      t.equal(echo.closed, false);
      echo.end();
    }
    const attached = next.lines('worker attached').map(({ pid }) => Number(pid));
    t.same(
      attached.sort((a, b) => a - b),
      pids,
      'the same workers',
    );
    const begun = next.log.findIndex(({ msg }) => msg === 'rollout started');
    t.same(
      next.log.slice(0, begun).filter(({ msg }) => msg === 'worker started'),
      [],
      'and none is started before the rollout',
    );
    await next.message('rollout done');
    await Promise.all(kept.map((client) => client.stop()));
    for (const { errors } of kept) t.same(errors, []);
    await haveEnded(...pids);
    const after = await next.status();
    t.match(after, { generation: i + 1, size: 2, pid: next.pid, script: path.join(folders, String(i), 'app.cjs') });
    t.equal(after.version === '9.9.9', i === 3);
    t.equal(after.steering, before.steering);
    now = next;
  }
  await load.stop();
  t.same(load.errors, {}, load.summary());
  endWith(t, ...pidsOf(await now.status()));
  await now.end();
  t.same(readdirSync(shop.runtimeDir), [], 'nothing is left behind');
});

t.test('what cannot start changes nothing, and the one that runs goes on', async (t) => {
  const shop = await openShop(t);
  const first = shop.start([]);
  await first.message('started');
  const before = await first.status();
  const pids = pidsOf(before);
  endWith(t, ...pids);
  const { runtimeDir, env } = shop;
  const taken = net.createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.teardown(() => taken.close());
  const { port } = taken.address() as net.AddressInfo;
  const attempt = (...words: string[]) =>
    run(['start', ...words, '--name', 'shop', '--replace'], { runtimeDir, env: { ...env, PORT: String(shop.port) } });
  t.match(await attempt(survivor, '--surge', 'many'), { code: 2, stderr: /surge/ });
  t.match(await attempt('no-such-script.cjs'), { code: 2, stderr: /no-such-script/ });
  t.match(await attempt(survivor, '--admin', `127.0.0.1:${port}`), {
    code: 1,
    stderr: /cannot replace the supervisor shop: cannot listen on the admin address: .*EADDRINUSE/,
  });
  const after = await first.status();
  t.equal(after.pid, first.pid);
  t.same(pidsOf(after), pids);

  // Whatever has asked for it: a release that does not get up is rolled back, and the workers stay.
  const bad = path.join(t.testdir({ 'bad.cjs': 'process.exit(3);' }), 'bad.cjs');
  const second = shop.start(['--replace', '--min-uptime', '1ms', '--max-restarts', '1'], { script: bad });
  await second.message('rollback done');
  t.equal(await first.closed, 0);
  t.same(pidsOf(await second.status()), pids);
  while (!second.stderr.includes('was not rolled out'))
    await new Promise((resolve) => second.child.stderr?.once('data', resolve));
  // Its seat is filled by what it has run, not by what has failed.
  process.kill(pids[0] ?? 0, 'SIGKILL');
  await second.line(({ msg, generation, worker }) => msg === 'worker ready' && generation === 1 && Number(worker) > 2);
  t.match(await ask(shop.port), { generation: 1 });
  endWith(t, ...pidsOf(await second.status()));

  const words = [
    'start',
    bad,
    '--name',
    'shop',
    '-i',
    '2',
    '--log-file',
    path.join(makeRuntimeDir(t), 'log'),
    '--detach',
  ];
  const detached = await run([...words, '--replace'], { runtimeDir, env });
  t.match(detached, { code: 1, stderr: /runs with 2 workers.*\n.*was not rolled out: a worker exited with code 3/ });
  t.equal(await second.closed, 0);
  t.match(await ask(shop.port), { generation: 1 });
  t.equal((await run(['stop', '--name', 'shop'], { runtimeDir })).code, 0);
});

t.test('where none runs it is a usual start; a rollout is waited for; one at a time', async (t) => {
  const after = path.join(t.testdir({ after: '' }), 'after');
  const shop = await openShop(t, { AFTER: after });
  const first = shop.start(['--replace']);
  await first.message('started');
  t.equal(first.lines('no supervisor of this name runs: nothing is replaced').length, 1);
  rmSync(after);
  const reload = first.run('reload');
  await first.message('rollout started');
  const second = shop.start(['--replace']);
  const waits = await second.message('supervisor waits before it leaves');
  t.match(waits, { for: /a rollout/ });
  const { runtimeDir, env } = shop;
  const third = await run(['start', survivor, '--name', 'shop', '--replace'], { runtimeDir, env });
  t.match(third, { code: 1, stderr: /cannot replace the supervisor shop: another program is about to/ });
  writeFileSync(after, '');
  t.equal((await reload).code, 0, 'the rollout has come to its end');
  await second.message('rollout done');
  t.equal(await first.closed, 0);
  const { generation, workers } = await second.status();
  t.equal(generation, 3);
  endWith(t, ...workers.map(({ pid }) => pid ?? 0));
});

t.test('one that hangs is not replaced, and it is said how to go on', async (t) => {
  const shop = await openShop(t);
  const first = shop.start([]);
  await first.message('started');
  const pids = pidsOf(await first.status());
  endWith(t, ...pids);
  first.child.kill('SIGSTOP');
  const { runtimeDir, env } = shop;
  const refused = await run(['start', survivor, '--name', 'shop', '--replace'], { runtimeDir, env });
  t.match(refused, { code: 1, stderr: /it does not answer\n {2}if it does not recover: kill -9 / });
  t.match(refused.stderr, `kill -9 ${first.pid}, then`);
  first.child.kill('SIGKILL');
  const second = shop.start([]);
  await second.message('started');
  t.same(pidsOf(await second.status()), pids);
});
