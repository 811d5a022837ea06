/** The supervisor replaces itself by another version, with its PID; no worker and no client notices. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import t from 'tap';
import type { SupervisorStatus } from '../../src/protocol/status.js';
import { freePort } from '../support/ports.js';
import { apps, Holdfast } from './support/holdfast.js';
import { Echo, Keeping, Probes } from './support/kept-clients.js';
import { Load } from './support/load.js';
import { endWith, haveEnded } from './support/processes.js';
import { Releases } from './support/releases.js';
import { serversEnv } from './support/servers.js';

const survivor = path.join(apps, 'survivor.cjs');

function pidsOf({ workers }: SupervisorStatus): number[] {
  return workers.map(({ pid }) => pid ?? 0).sort((a, b) => a - b);
}

t.test('another version takes the place, under clients of all kinds, and no worker notices', async (t) => {
  const releases = new Releases(t);
  const [port, tlsPort, adminPort] = [await freePort(), await freePort(), await freePort()];
  const holdfast = new Holdfast(t, survivor, {
    bin: releases.bin,
    args: ['--name', 'shop', '-i', '2', '--admin', `127.0.0.1:${adminPort}`],
    env: {
      ...serversEnv(releases.folder, 0),
      PORT: String(port),
      TLS_PORT: String(tlsPort),
      HOLDFAST_ORPHAN_TIMEOUT: '1m',
    },
  });
  await holdfast.message('started');
  const begin = await holdfast.status();
  t.match(begin, { version: '1.0.1', upgrade: { possible: true, reason: null, last: null } });
  // There is something to remember.
  process.kill(begin.workers[0]?.pid ?? 0, 'SIGKILL');
  await holdfast.line(({ msg, worker }) => msg === 'worker ready' && worker === 3);
  const before = await holdfast.status();
  const pids = pidsOf(before);
  endWith(t, ...pids);
  t.match(before.totals, { restarts: { crashed: 1 } });

  const load = new Load({ port, fresh: 8, keepAlive: 8, perSecond: 200 });
  const secure = [1, 2, 3].map(() => new Keeping(https, tlsPort));
  const kept = [1, 2, 3].map(() => new Keeping(http, port));
  const echoes = [1, 2, 3].map(() => new Echo(port));
  const probes = new Probes(adminPort);
  t.teardown(() => {
    for (const echo of echoes) echo.end();
  });
  releases.add('2', '1.0.2');
  releases.use('2');
  const upgraded = await holdfast.run('upgrade', 'shop');
  t.match(upgraded, { code: 0, stdout: /^shop: upgraded\n {2}holdfast 1\.0\.2 on Node/ }, upgraded.stderr);
  await holdfast.message('supervisor replaced');
  const after = await holdfast.status();
  t.match(after, { pid: holdfast.pid, version: '1.0.2', generation: 1, steering: before.steering });
  t.match(after.upgrade, { possible: true, last: { version: '1.0.1', failure: null, done: true } });
  t.same(pidsOf(after), pids, 'the same workers');
  t.match(after.totals, { restarts: { crashed: 1 } }, 'it goes on counting');
  t.ok(after.uptimeMs > before.uptimeMs);
  const restarts = JSON.parse((await holdfast.run('describe', '--json')).stdout).restarts as { what: string }[];
  t.same(
    restarts.map(({ what }) => what),
    ['crashed'],
  );
  t.match(
    (await holdfast.run('logs', '--lines', '200')).stdout,
    /worker crashed[\s\S]*supervisor replaced/,
    'and remembers',
  );
  const asked = kept.map(({ answers }) => answers);
  while (kept.some(({ answers }, i) => answers < (asked[i] ?? 0) + 5)) await holdfast.status();
  for (const client of [...kept, ...secure])
    t.same([client.connections, client.errors], [1, []], 'no connection is closed');
  for (const echo of echoes) t.match(echo, { closed: false });

  // As a signal does it.
  const from = holdfast.log.length;
  holdfast.child.kill('SIGUSR2');
  await holdfast.message('supervisor replaced', from);
  t.same(pidsOf(await holdfast.status()), pids);
  for (const client of [...kept, ...secure]) t.same([client.connections, client.errors], [1, []]);
  for (const echo of echoes) {
    t.match(echo, { closed: false });
    echo.end();
  }
  await Promise.all([...secure, ...kept, probes].map((client) => client.stop()));
  t.same(probes.refusals, [], `${probes.answers} probes`);
  t.ok(probes.answers > 10);

  releases.add('3', '1.0.3');
  releases.use('3');
  const reload = await holdfast.run('reload');
  t.equal(reload.code, 0, 'a reload is a usual reload');
  t.match(reload.stderr, /another version is installed holdfast=1\.0\.3/, 'and says what it does not take');
  await haveEnded(...pids);
  await load.stop();
  t.same(load.errors, {}, load.summary());
  const { workers } = await holdfast.status();
  t.same(
    workers.map(({ generation }) => generation),
    [2, 2],
  );
  t.same(
    childrenOf(holdfast.pid).sort((a, b) => a - b),
    pidsOf({ workers } as SupervisorStatus),
    'none is left unreaped',
  );
  const reloaded = await holdfast.message('worker exited', from);
  t.not(reloaded.signal ?? reloaded.code, null, 'it is known how they have ended');

  await holdfast.end();
  t.equal(holdfast.child.exitCode, 0);
  t.same(readdirSync(holdfast.runtimeDir), [], 'nothing is left behind');
});

function childrenOf(parent: number): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent;
    } catch {
      return false;
    }
  });
}

t.test('a version that would not start changes nothing, and one that fails all the same is taken back', async (t) => {
  const releases = new Releases(t);
  const port = await freePort();
  const holdfast = new Holdfast(t, survivor, {
    bin: releases.bin,
    args: ['--name', 'shop', '-i', '2'],
    env: { PORT: String(port), HOLDFAST_ORPHAN_TIMEOUT: '1m' },
  });
  await holdfast.message('started');
  const before = await holdfast.status();
  const pids = pidsOf(before);
  endWith(t, ...pids);
  const load = new Load({ port, fresh: 4, keepAlive: 4, perSecond: 100 });
  const kept = new Keeping(http, port);
  releases.add('2', '1.0.2');
  releases.use('2');

  const isChecked = "process.argv.includes('--check-upgrade')";
  const broken: readonly (readonly [what: string, file: string, code: string, reason: RegExp])[] = [
    [
      'a syntax error',
      'run.cjs',
      'const {;',
      /^holdfast: cannot upgrade shop: the new version would not start: .*Unexpected token/s,
    ],
    [
      'a state that it cannot read',
      'begin.cjs',
      "require('node:fs').writeFileSync(process.env.HOLDFAST_UPGRADE, '{}');",
      /cannot read the state of the previous supervisor: the state\.format must be/,
    ],
    [
      'an older version',
      'begin.cjs',
      "console.error('holdfast: cannot use --check-upgrade: start has no such option'); process.exit(2);",
      /it ended with exit code 2: cannot use --check-upgrade/,
    ],
    ['nothing to say', 'begin.cjs', 'process.exit(0);', /it does not know what it was asked/],
  ];
  for (const [what, file, code, reason] of broken) {
    releases.spoil('2', file, code);
    const { code: exitCode, stderr } = await holdfast.run('upgrade');
    t.equal(exitCode, 1, what);
    t.match(stderr, reason, what);
    t.match(await holdfast.status(), { version: '1.0.1', upgrade: { last: null } });
    releases.mend('2', file);
  }
  const nowhere = await holdfast.run('upgrade', '--node', './no-such-node');
  t.match(nowhere, { code: 1, stderr: /the new version would not start: .*no-such-node.*ENOENT/ });
  t.same(holdfast.lines('supervisor is being replaced'), [], 'until then nothing has happened');

  const crashes: readonly (readonly [file: string, code: string, reason: RegExp])[] = [
    [
      'run.cjs',
      `if (!${isChecked}) throw new Error('a fault of its own');`,
      /the previous one goes on: a fault of its own/,
    ],
    ['main.cjs', `if (!${isChecked}) process.exit(7);`, /the previous one goes on: it ended with exit code 7/],
  ];
  for (const [file, code, reason] of crashes) {
    const from = holdfast.log.length;
    releases.spoil('2', file, code);
    const { code: exitCode, stderr } = await holdfast.run('upgrade');
    t.equal(exitCode, 1);
    t.match(stderr, reason);
    await holdfast.message('upgrade failed: the previous version goes on', from);
    const after = await holdfast.status();
    t.match(after, { pid: holdfast.pid, version: '1.0.1', steering: before.steering });
    t.same(pidsOf(after), pids, 'with the same workers');
    releases.mend('2', file);
  }
  t.match(await holdfast.run('upgrade'), { code: 0, stdout: /holdfast 1\.0\.2/ }, 'once it is mended it is taken');
  t.same(pidsOf(await holdfast.status()), pids);
  await kept.stop();
  t.same([kept.connections, kept.errors], [1, []]);
  await load.stop();
  t.same(load.errors, {}, load.summary());
});

t.test('where the runtime folder has been removed it is refused in words, and all goes on', async (t) => {
  const port = await freePort();
  const env = { PORT: String(port), HOLDFAST_ORPHAN_TIMEOUT: '1m' };
  const holdfast = new Holdfast(t, survivor, { args: ['--name', 'shop', '-i', '1'], env });
  await holdfast.message('started');
  endWith(t, ...pidsOf(await holdfast.status()));
  rmSync(holdfast.runtimeDir, { recursive: true });
  holdfast.child.kill('SIGUSR2');
  const { reason } = await holdfast.message('upgrade refused');
  t.match(reason, /^what the next program is to know cannot be written to \S+shop\.upgrade: ENOENT$/);
  holdfast.child.kill('SIGHUP');
  await holdfast.message('rollout done');
});

t.test('what is under way is waited for, and what has no end is a reason not to', async (t) => {
  const port = await freePort();
  const go = path.join(t.testdir({ go: '' }), 'go');
  const holdfast = new Holdfast(t, survivor, {
    args: ['--name', 'shop', '-i', '2'],
    env: { PORT: String(port), HOLDFAST_ORPHAN_TIMEOUT: '1m', AFTER: go },
  });
  await holdfast.message('started');
  rmSync(go);
  const reload = holdfast.run('reload');
  await holdfast.message('rollout started');
  const upgraded = holdfast.run('upgrade');
  t.match(await holdfast.message('upgrade waits'), { for: /a rollout/ });
  writeFileSync(go, '');
  t.match(await upgraded, { code: 0, stderr: /upgrade waits for=a rollout/ });
  t.equal((await reload).code, 0, 'the rollout has come to its end');
  const after = await holdfast.status();
  t.match(after, { generation: 2, rollout: { state: 'done' }, totals: { rollouts: { done: 1 } } });
  endWith(t, ...pidsOf(after));

  const canary = holdfast.run('reload', '--canary', '50%', '--for', '1h');
  await holdfast.line(({ msg, generation }) => msg === 'worker ready' && generation === 3);
  t.match(await holdfast.run('upgrade'), { code: 1, stderr: /cannot upgrade shop: a canary is being compared/ });
  t.equal((await holdfast.run('reload', '--abort')).code, 0);
  await canary;
  await holdfast.end();

  const alone = new Holdfast(t, survivor, {
    args: ['--name', 'alone'],
    env: { PORT: String(port), HOLDFAST_ORPHAN_TIMEOUT: '0' },
  });
  await alone.message('started');
  const reason = 'orphanTimeout is 0 s, and workers have to wait for 10 s';
  t.match(await alone.status(), { upgrade: { possible: false, reason } });
  t.match(await alone.run('upgrade'), { code: 1, stderr: new RegExp(`cannot upgrade alone: ${reason}`) });
});
