import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { checkLayer } from '../../../src/config/layers/layer.js';
import { PM2_KEYS } from '../../../src/config/pm2/keys.js';
import { translateApp } from '../../../src/config/pm2/translate.js';
import type { SettingName } from '../../../src/config/schema/schema.js';
import { FACTS, optionsOf, translated, verdictOf } from './support/translated.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));

t.test("name and script are PM2's", async (t) => {
  const nameOf = (app: Record<string, unknown>, environment?: string) => translated(app, environment ?? null).name;
  t.equal(nameOf({ script: './api/server.js' }), 'server');
  t.equal(nameOf({ script: './service-worker/' }), 'service-worker');
  t.equal(nameOf({ name: 'HTTP API', script: 'a.js' }), 'HTTP-API');
  t.equal(nameOf({ name: '日本', script: './a.js' }), 'a', 'where nothing of it can be a name');
  t.equal(nameOf({ name: '日本', script: './a.js', append_env_to_name: true }, 'test'), 'a-test');
  t.equal(translated({ name: 'HTTP API', script: 'a.js' }).givenName, 'HTTP API');
  t.equal(verdictOf({ name: 'HTTP API', script: 'a.js' }, 'name'), 'other');
  t.equal(verdictOf({ name: 'api', script: 'a.js' }, 'name'), 'taken');
  t.equal(nameOf({ name: 'api', script: 'a.js', append_env_to_name: true }, 'production'), 'api-production');
  t.equal(nameOf({ name: 'api', script: 'a.js', append_env_to_name: true }), 'api');
  for (const key of ['script', 'exec', 'cmd', 'command']) {
    t.equal(translated({ [key]: 'npm start' }).given.get('script')?.raw, 'npm start', key);
  }
  t.match(translated({ script: 'serve' }).faults, [{ path: 'script', allowed: /npm install serve/ }]);
  t.ok(translated({ script: 'a.js', autostart: false }).isLeftOut);
  t.notOk(translated({ script: 'a.js' }).isLeftOut);
});

t.test('without a mode, a number of instances makes a cluster, and nothing else does', async (t) => {
  const readyOf = (app: Record<string, unknown>) => translated({ script: 'a.js', ...app }).given.get('ready')?.raw;
  t.equal(readyOf({}), 'running');
  t.equal(readyOf({ instances: 1 }), undefined);
  t.equal(readyOf({ instances: 1, exec_mode: 'fork' }), 'running');
  t.equal(readyOf({ instances: 1, script: 'node a.js --x' }), 'running', 'what a shell runs is none');
  t.equal(readyOf({ instances: 1, interpreter: 'tsx' }), 'running', 'nor what another program runs');
  t.equal(readyOf({ instances: 1, interpreter: '/usr/bin/node' }), undefined);
  t.equal(readyOf({ wait_ready: true }), 'message', 'and who says that it is ready is asked');
});

t.test('what follows from several keys, or from none, is told by what the file has', async (t) => {
  const pathOf = (option: SettingName, app: Record<string, unknown>, at = 'apps[1].') =>
    translateApp(app, { at, environment: null, deployed: {}, facts: FACTS }).given.get(option)?.path;
  const table: [Record<string, unknown>, string][] = [
    [{ script: 'a.js' }, 'apps[1]'],
    [{ script: 'a.js', exec_mode: 'fork' }, 'apps[1].exec_mode'],
    [{ script: 'a.js', execMode: 'fork', instances: 2 }, 'apps[1].execMode'],
    [{ script: 'a.js', exec_mode: 'cluster', execute_command: true }, 'apps[1].execute_command'],
    [{ script: 'a.js', interpreter: 'tsx', instances: 2 }, 'apps[1].interpreter'],
    [{ cmd: 'node a.js --x', instances: 2 }, 'apps[1].cmd'],
    [{ script: 'a.js', wait_ready: true }, 'apps[1].wait_ready'],
  ];
  for (const [app, expected] of table) t.equal(pathOf('ready', app), expected, JSON.stringify(app));
  t.equal(pathOf('ready', { script: 'a.js' }, ''), '', 'one application is all of its file');
  t.equal(pathOf('name', { script: 'a.js' }), 'apps[1].script');
  t.equal(pathOf('name', { script: 'a.js', name: 'b' }), 'apps[1].name');
});

t.test('the environment is put together as PM2 does it', async (t) => {
  const app = {
    script: 'a.js',
    port: 80,
    env: { A: 'env', B: 'env', PORT: 1 },
    env_production: { A: 'production', PORT: undefined },
    env_staging: { A: 'staging' },
  };
  const envOf = (environment: string | null, deployed = {}) =>
    translateApp(app, { at: '', environment, deployed, facts: FACTS }).given.get('env')?.raw;
  t.same(envOf(null), { A: 'env', B: 'env', PORT: 80 });
  t.same(envOf('production', { A: 'deploy', C: 'deploy' }), { A: 'production', B: 'env', C: 'deploy' });
  t.same(envOf('staging'), { A: 'staging', B: 'env', PORT: 80 });
  t.match(translated(app, 'production').notes, [
    { key: 'script' },
    { key: 'env', verdict: 'taken' },
    { key: 'env_production', verdict: 'taken' },
    { key: 'env_staging', verdict: 'ignored', says: 'only with --env staging' },
    { key: 'port' },
  ]);
  t.match(translated({ script: 'a.js', env: {} }, 'production').notes.at(-1), {
    key: 'env_production',
    verdict: 'ignored',
  });
});

t.test('what concerns several keys is put together', async (t) => {
  t.match(optionsOf({ restart_delay: 1000, exp_backoff_restart_delay: 100 }), { backoffFactor: 1.5 });
  t.match(optionsOf({ node_args: '--harmony', source_map_support: true }), {
    nodeArgs: ['--harmony', '--enable-source-maps'],
  });
  t.same(optionsOf({ source_map_support: true, disable_source_map_support: true }), {});
  t.match(optionsOf({ max_restarts: 10, min_uptime: '10s', restart_delay: 2000 }), { restartWindow: '2m' });
  t.match(optionsOf({ cwd: '/srv/api', out_file: 'logs/out.log' }), { logFile: '/srv/api/logs/out.log' });
  t.match(optionsOf({ cwd: '/srv/api', out_file: '/var/log/x' }), { logFile: '/var/log/x' });
  t.match(optionsOf({ out_file: 'out.log', log_file: 'all.log' }), { logFile: 'all.log' });
  t.match(optionsOf({ exec_mode: 'fork', autorestart: false }), { minUptime: '1ms', ready: 'running' });
  t.match(optionsOf({ exec_mode: 'fork', stop_exit_codes: 0 }), { minUptime: '1ms', stopExitCodes: [0] });
  t.match(optionsOf({ exec_mode: 'fork', autorestart: false, min_uptime: '2s' }), { minUptime: '2s' });
  t.match(optionsOf({ exec_mode: 'fork', min_uptime: '1m' }), { minUptime: '1m', readyTimeout: '90s' });
  t.match(optionsOf({ exec_mode: 'fork', listen_timeout: 500 }), { readyTimeout: '1500ms' });
});

t.test('a value of the wrong type is refused where it stands, and no secret is shown', async (t) => {
  const table: [Record<string, unknown>, string, RegExp, string | null][] = [
    [{ instances: [2] }, 'instances', /^must be a number or text$/, 'a list'],
    [{ kill_timeout: '3s' }, 'kill_timeout', /^must be a number$/, '"3s"'],
    [{ killTimeout: true }, 'killTimeout', /^must be a number$/, 'true'],
    [{ wait_ready: 'yes' }, 'wait_ready', /^must be true or false$/, '"yes"'],
    [{ env: 'PASSWORD=x' }, 'env', /^must be an object$/, null],
    [{ env_production: ['x'] }, 'env_production', /^must be an object$/, null],
    [{ args: 7 }, 'args', /^must be a list or text$/, null],
    [{ name: ['x'] }, 'name', /^must be text$/, 'a list'],
    [{ exec_mode: 'thread' }, 'exec_mode', /"fork" or "cluster"/, '"thread"'],
    [{ min_uptime: 'long' }, 'min_uptime', /milliseconds/, '"long"'],
    [{ max_memory_restart: '300 MB' }, 'max_memory_restart', /300M or 1G/, '"300 MB"'],
    [{ uid: 'www' }, 'uid', /sudo -u www holdfast start/, '"www"'],
    [{ user: 0 }, 'user', /holdfast unit --user=0/, '0'],
    [{ gid: 'www' }, 'gid', /--group=www/, '"www"'],
  ];
  for (const [app, path, allowed, value] of table) {
    const { faults } = translateApp(
      { script: 'a.js', ...app },
      { at: 'apps[1].', environment: null, deployed: {}, facts: FACTS },
    );
    t.match(faults, [{ path: `apps[1].${path}`, allowed, value }], JSON.stringify(app));
    t.equal(faults.length, 1);
  }
  const { given } = translated({ script: 'a.js', cron_restart: '*/10 * * * * *', instances: 1.5, kill_timeout: -1 });
  t.same(
    checkLayer({ source: 'x', base: '/', given }).faults.map(({ path }) => path),
    ['instances', 'kill_timeout', 'cron_restart'],
    "what holdfast does not have is refused by PM2's name",
  );
});

t.test('a key that PM2 does not have is ignored, and said, with what may have been meant', async (t) => {
  const { notes } = translated({ script: 'a.js', max_memory_restrt: '1G', description: 'x' });
  t.match(notes, [
    { key: 'max_memory_restrt', verdict: 'ignored', says: /did you mean "max_memory_restart"/ },
    { key: 'description', verdict: 'ignored', says: 'PM2 has no such key' },
    { key: 'script' },
  ]);
});

t.test('docs/pm2.md has a row for every key, and says the same', async (t) => {
  const words = { taken: 'taken over', other: 'means something else', ignored: 'ignored' };
  const [, table = ''] = readFileSync(`${root}docs/pm2.md`, 'utf8').split('\n## Every key\n');
  const rows = table.split('\n').filter((line) => line.startsWith('| `'));
  t.same(
    rows,
    Object.entries(PM2_KEYS).map(
      ([key, { aliases = [], verdict, says }]) =>
        `| ${[key, ...aliases].map((name) => `\`${name}\``).join(', ')} | ${words[verdict]} | ${says} |`,
    ),
  );
});
