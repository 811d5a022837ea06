import { join } from 'node:path';
import t from 'tap';
import type { ConfigSource } from '../../../src/config/load.js';
import { faultsOf, refusal, sourceIn } from '../support.js';

t.test('all faults of all sources are reported at once', async (t) => {
  const cwd = t.testdir({
    'x.json': JSON.stringify({
      instances: 500,
      instnces: 2,
      args: [1, {}],
      readyTimeout: 30,
      logFile: null,
      name: '-x',
      script: 'no.js',
      soak: '48h',
    }),
  });
  const error = await refusal(
    sourceIn(cwd, {
      target: 'x.json',
      env: { HOLDFAST_SURGE: 'lots', HOLDFAST_MAX_RESTARTS: '1e3' },
      flags: { ready: 'listenin', killTimeout: '30', soak: ['1s', '2s'], nodeArgs: '"open', logLevel: false, env: 'A' },
    }),
  );
  const file = join(cwd, 'x.json');
  const places = error.faults.map(({ source, path, value }) => [source === file ? 'file' : source, path, value]);
  t.strictSame(places.sort(), [
    ['command line', '--env', null],
    ['command line', '--kill-timeout', '"30"'],
    ['command line', '--log-level', null],
    ['command line', '--node-args', null],
    ['command line', '--ready', '"listenin"'],
    ['command line', '--soak', null],
    ['environment', 'HOLDFAST_MAX_RESTARTS', '"1e3"'],
    ['environment', 'HOLDFAST_SURGE', '"lots"'],
    ['file', 'args[1]', null],
    ['file', 'instances', '500'],
    ['file', 'instnces', null],
    ['file', 'logFile', 'null'],
    ['file', 'name', '"-x"'],
    ['file', 'readyTimeout', '30'],
    ['file', 'script', '"no.js"'],
    ['file', 'soak', '"48h"'],
  ]);
  t.match(error, { code: 'CONFIG_INVALID', exitCode: 2, name: 'ConfigError' });
  const allowed = Object.fromEntries(error.faults.map((fault) => [fault.path, fault.allowed]));
  t.match(allowed, {
    instances: 'must be a whole number from 1 to 256, or "max"',
    instnces: 'did you mean "instances"?',
    readyTimeout: 'has no unit: write 30ms, 30s or 30m',
    '--kill-timeout': 'must be a duration from 0 to 24h',
    '--ready': 'must be "listening", "message" or "running"',
    '--soak': 'must be given once',
    script: `there is no ${join(cwd, 'no.js')}`,
  });
  const lines = error.message.split('\n');
  t.equal(lines[0], 'cannot use the configuration: 16 faults');
  t.ok(lines.includes(`  ${file}`));
  t.ok(lines.includes('    instances: 500 — must be a whole number from 1 to 256, or "max"'));
  t.equal(lines.length, 1 + 3 + 16, 'a line for each fault below one for each source');
});

t.test('a longest delay below the first one is at fault where it was given', async (t) => {
  const cwd = t.testdir({ 'app.js': '' });
  const load = (flags: object, env = {}) => faultsOf(sourceIn(cwd, { target: 'app.js', flags: { ...flags }, env }));
  t.match(await load({ backoffMax: '10ms' }), [
    { path: '--backoff-max', allowed: 'at least backoffBase, which is 100ms' },
  ]);
  t.match(await load({}, { HOLDFAST_BACKOFF_BASE: '1m' }), [
    { source: 'environment', value: '1m', allowed: 'at most backoffMax, which is 30s' },
  ]);
  t.match(await load({ backoffBase: '5s', backoffMax: '1s' }), [{ path: '--backoff-max', value: '1s' }]);
  t.strictSame(
    (await load({ backoffBase: '5s', backoffMax: 'soon' })).map(({ path }) => path),
    ['--backoff-max'],
    'a fault does not cause another',
  );
});

t.test('a minimal uptime that the time to become ready does not allow is at fault where it was given', async (t) => {
  const cwd = t.testdir({ 'app.js': '' });
  const load = (flags: object) =>
    faultsOf(sourceIn(cwd, { target: 'app.js', flags: { ready: 'running', ...flags }, env: {} }));
  t.match(await load({ minUptime: '30s' }), [
    { path: '--min-uptime', allowed: 'less than readyTimeout, which is 30s' },
  ]);
  t.match(await load({ readyTimeout: '1s' }), [
    { path: '--ready-timeout', allowed: 'more than minUptime, which is 1s' },
  ]);
});

t.test('secrets are never shown, whatever is wrong with them', async (t) => {
  const secret = 's3cr3t';
  const files: Record<string, string> = {
    'text.json': JSON.stringify({ env: secret }),
    'list.json': JSON.stringify({ env: [secret] }),
    'nested.json': JSON.stringify({ env: { KEY: { deep: secret }, NUL: `${secret}\0`, '=': secret } }),
    'unknown.json': JSON.stringify({ environment: { KEY: secret }, token: secret }),
    'misplaced.json': JSON.stringify({ cwd: { KEY: secret }, name: [secret] }),
    'args.json': JSON.stringify({ args: secret }),
    'args-list.json': JSON.stringify({ args: [`${secret}\0`, [secret]] }),
    'syntax.json': `{"env": {"KEY": "${secret}" ${secret}}}`,
    'syntax.yaml': `env:\n  KEY: "a" ${secret}\n`,
    'alias.yaml': `env:\n  KEY: *${secret}\n`,
    'tag.yaml': `env:\n  KEY: !${secret} x\n`,
    'twice.yaml': `env:\n  KEY: ${secret}\n  KEY: ${secret}\n`,
  };
  const cwd = t.testdir({ 'app.js': '', ...files });
  const shown = async (source: object) => {
    const error = await refusal(sourceIn(cwd, source));
    return [error.message, error.stack, JSON.stringify(error.faults)].join('\n');
  };
  for (const target of Object.keys(files)) t.notMatch(await shown({ target }), secret, target);
  for (const env of [secret, `=${secret}`, [`KEY=${secret}\0`], [secret, 'A=1']]) {
    t.notMatch(await shown({ target: 'app.js', flags: { env } }), secret, JSON.stringify(env));
  }
});

t.test('a supervisor is not called by the word for all of them, whoever gives the name', async (t) => {
  const app = { name: 'all', script: 'x.js' };
  const cwd = t.testdir({
    'x.js': '',
    'own.json': JSON.stringify(app),
    'several.json': JSON.stringify({ apps: [app, { ...app, name: 'b' }] }),
    'ecosystem.config.json': JSON.stringify({ apps: [{ ...app, exec_mode: 'cluster' }] }),
  });
  const table: [given: Partial<ConfigSource>, path: string][] = [
    [{ target: 'own.json' }, 'name'],
    [{ target: 'several.json' }, 'apps[0].name'],
    [{ target: 'ecosystem.config.json' }, 'apps[0].name'],
    [{ target: 'x.js', flags: { name: 'all' } }, '--name'],
    [{ target: 'x.js', env: { HOLDFAST_NAME: 'all' } }, 'HOLDFAST_NAME'],
  ];
  for (const [given, path] of table) {
    const { faults } = await refusal({
      ...sourceIn(cwd, given),
      ...(given.target === 'several.json' && { only: ['all'] }),
    });
    t.match(faults, [{ path, value: '"all"', allowed: /^must not be "all", which commands take as every/ }], path);
  }
});
