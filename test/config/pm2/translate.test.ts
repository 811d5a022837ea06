import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { checkLayer } from '../../../src/config/layers/layer.js';
import { type Facts, KEY_OF_NAME, PM2_KEYS, type Verdict } from '../../../src/config/pm2/keys.js';
import { type Translated, translateApp } from '../../../src/config/pm2/translate.js';
import type { SettingName } from '../../../src/config/schema/schema.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const FACTS: Facts = { processors: 6, home: '/home/me', users: ['me', '1000'], groups: ['1000', 'me'] };
const ALL_CODES = Array.from({ length: 256 }, (_, code) => code);

function translated(app: Record<string, unknown>, environment: string | null = null): Translated {
  return translateApp(app, { at: '', environment, deployed: {}, facts: FACTS });
}

/** The options that it comes to, as they would be written; without what each of these has. */
function optionsOf(app: Record<string, unknown>, environment: string | null = null): Record<string, unknown> {
  const { given, faults } = translated({ name: 'x', script: 'x.js', exec_mode: 'cluster', ...app }, environment);
  t.same(faults, [], JSON.stringify(app));
  const { name: _, script: __, ...options } = Object.fromEntries([...given].map(([option, { raw }]) => [option, raw]));
  return options;
}

function verdictOf(app: Record<string, unknown>, key: string, environment: string | null = null): Verdict | undefined {
  return translated(app, environment).notes.find((note) => note.key === key)?.verdict;
}

/** Each key, with what it comes to; a test below holds that none is missing. */
const ROWS: readonly (readonly [key: string, value: unknown, options: Record<string, unknown>, verdict: Verdict])[] = [
  ['cwd', '/srv/api', { cwd: '/srv/api' }, 'taken'],
  ['args', ['-a', '13'], { args: ['-a', '13'] }, 'taken'],
  ['args', '-a 13 -b "x y" k="v w"', { args: ['-a', '13', '-b', 'x y', 'k="v w"'] }, 'taken'],
  ['args', "--say='a b' 'c d'", { args: ["--say='a b'", 'c d'] }, 'taken'],
  ['exec_interpreter', 'node', {}, 'taken'],
  ['exec_interpreter', '/usr/bin/node', {}, 'other'],
  ['exec_interpreter', 'node@20.1.0', {}, 'other'],
  ['exec_interpreter', 'none', {}, 'other'],
  ['exec_interpreter', 'tsx', { interpreter: 'tsx' }, 'other'],
  ['exec_interpreter', 'python3', { interpreter: 'python3' }, 'other'],
  ['node_args', '--harmony --max-old-space-size=512', { nodeArgs: ['--harmony', '--max-old-space-size=512'] }, 'taken'],
  ['node_args', ['--harmony'], { nodeArgs: ['--harmony'] }, 'taken'],
  ['instances', 4, { instances: 4 }, 'taken'],
  ['instances', '4', { instances: 4 }, 'taken'],
  ['instances', 1, { instances: 1 }, 'taken'],
  ['instances', 0, { instances: 'max' }, 'taken'],
  ['instances', 'max', { instances: 'max' }, 'taken'],
  ['instances', -1, { instances: 5 }, 'taken'],
  ['instances', -9, { instances: 1 }, 'taken'],
  ['exec_mode', 'cluster_mode', {}, 'taken'],
  ['exec_mode', 'fork', { ready: 'running' }, 'other'],
  ['exec_mode', 'fork_mode', { ready: 'running' }, 'other'],
  ['wait_ready', true, { ready: 'message' }, 'taken'],
  ['wait_ready', false, {}, 'taken'],
  ['listen_timeout', 3000, { readyTimeout: '3s' }, 'other'],
  ['kill_timeout', 1600, { killTimeout: '1600ms' }, 'other'],
  ['kill_timeout', '3000', { killTimeout: '3s' }, 'other'],
  ['shutdown_with_message', true, {}, 'taken'],
  // 16 times 5 s, and 16 delays of 0.1 s to 30 s.
  ['min_uptime', '5s', { minUptime: '5s', restartWindow: '341100ms' }, 'taken'],
  ['min_uptime', 5000, { minUptime: '5s', restartWindow: '341100ms' }, 'taken'],
  ['min_uptime', '1h', { minUptime: '1h', restartWindow: '57861100ms' }, 'taken'],
  // 3 times 1 s, and 0.1 + 0.2 + 0.4 s.
  ['max_restarts', 3, { maxRestarts: 3, onCrashLoop: 'exit', restartWindow: '3700ms' }, 'other'],
  ['max_restarts', 0, { maxRestarts: 0, onCrashLoop: 'exit', restartWindow: '1s' }, 'other'],
  ['restart_delay', 4000, { backoffBase: '4s', backoffMax: '4s', backoffFactor: 1 }, 'taken'],
  ['restart_delay', 0, {}, 'taken'],
  [
    'exp_backoff_restart_delay',
    100,
    { backoffBase: '100ms', backoffMax: '15s', backoffFactor: 1.5, backoffReset: '30s' },
    'taken',
  ],
  ['autorestart', false, { stopExitCodes: ALL_CODES }, 'taken'],
  ['autorestart', true, {}, 'taken'],
  ['stop_exit_codes', [0, 64], { stopExitCodes: [0, 64] }, 'taken'],
  ['stop_exit_codes', ['0'], { stopExitCodes: [0] }, 'taken'],
  ['stop_exit_codes', 3, { stopExitCodes: [3] }, 'taken'],
  ['cron_restart', '0 4 * * *', { reloadCron: '0 4 * * *' }, 'other'],
  ['cron_restart', '0 30 4 * * *', { reloadCron: '30 4 * * *' }, 'other'],
  ['cron_restart', 0, {}, 'taken'],
  ['cron_restart', '0', {}, 'taken'],
  ['max_memory_restart', '300M', { maxMemory: '300M' }, 'other'],
  ['max_memory_restart', '1G', { maxMemory: '1G' }, 'other'],
  ['max_memory_restart', 314572800, { maxMemory: '307200K' }, 'other'],
  ['max_memory_restart', '4294967296', { maxMemory: '4096M' }, 'other'],
  ['watch', true, { watch: true }, 'taken'],
  ['watch', ['server', 'lib'], { watch: true }, 'other'],
  ['watch', '.', { watch: true }, 'other'],
  ['watch', false, {}, 'taken'],
  ['ignore_watch', ['node_modules'], {}, 'taken'],
  ['ignore_watch', ['node_modules', 'public'], {}, 'ignored'],
  ['watch_delay', 1000, {}, 'ignored'],
  ['watch_options', { followSymlinks: false }, {}, 'ignored'],
  [
    'env',
    { PORT: 3000, DEBUG: true, LIST: ['a'], none: null },
    { env: { PORT: 3000, DEBUG: true, LIST: '["a"]' } },
    'taken',
  ],
  ['filter_env', ['SECRET'], {}, 'ignored'],
  ['port', 8080, { env: { PORT: 8080 } }, 'taken'],
  ['instance_var', 'INSTANCE_ID', { instanceVar: 'INSTANCE_ID' }, 'taken'],
  ['increment_var', 'PORT', {}, 'ignored'],
  ['append_env_to_name', true, {}, 'taken'],
  ['out_file', '~/logs/out.log', { logFile: '/home/me/logs/out.log' }, 'other'],
  ['out_file', '/dev/null', {}, 'other'],
  ['out_file', 'NULL', {}, 'other'],
  ['error_file', './err.log', {}, 'ignored'],
  ['log_file', 'all.log', { logFile: 'all.log' }, 'other'],
  ['log_file', true, {}, 'other'],
  ['log_file', false, {}, 'taken'],
  ['disable_logs', true, {}, 'ignored'],
  ['log_type', 'json', { logFormat: 'json' }, 'taken'],
  ['log_type', 'raw', {}, 'taken'],
  ['log_date_format', 'YYYY-MM-DD HH:mm Z', {}, 'ignored'],
  ['time', true, {}, 'taken'],
  ['merge_logs', true, {}, 'taken'],
  ['source_map_support', true, { nodeArgs: ['--enable-source-maps'] }, 'taken'],
  ['source_map_support', false, {}, 'taken'],
  ['disable_source_map_support', true, {}, 'taken'],
  ['treekill', false, { keepChildren: true }, 'taken'],
  ['treekill', true, {}, 'taken'],
  ['uid', 'me', {}, 'other'],
  ['uid', 1000, {}, 'other'],
  ['gid', 1000, {}, 'other'],
  ['autostart', false, {}, 'taken'],
  ['namespace', 'shop', {}, 'ignored'],
  ['name_prefix', 'shop', {}, 'ignored'],
  ['force', true, {}, 'ignored'],
  ['execute_command', true, { ready: 'running' }, 'ignored'],
  ['pid_file', '/run/x.pid', {}, 'ignored'],
  ['post_update', ['npm install'], {}, 'ignored'],
  ['vizion', true, {}, 'ignored'],
  ['install_url', 'https://example.com', {}, 'ignored'],
  ['kill_retry_time', 100, {}, 'ignored'],
  ['username', 'me', {}, 'ignored'],
  ['windowsHide', true, {}, 'ignored'],
  ['write', true, {}, 'ignored'],
  ['trace', true, {}, 'ignored'],
  ['disable_trace', false, {}, 'ignored'],
  ['v8', true, {}, 'ignored'],
  ['event_loop_inspector', true, {}, 'ignored'],
  ['deep_monitoring', true, {}, 'ignored'],
  ['pmx', true, {}, 'ignored'],
  ['automation', true, {}, 'ignored'],
  ['io', { apm: {} }, {}, 'ignored'],
];

t.test('every key of PM2 comes to what the table says, by each of its names', async (t) => {
  for (const [key, value, options, verdict] of ROWS) {
    const camel = [...KEY_OF_NAME].filter(([, of]) => of === key).map(([name]) => name);
    for (const name of camel) {
      const label = `${name}: ${JSON.stringify(value)}`;
      const base = key === 'exec_mode' ? { exec_mode: undefined } : {};
      t.same(optionsOf({ ...base, [name]: value }), options, label);
      t.equal(verdictOf({ script: 'x.js', [name]: value }, name), verdict, label);
    }
  }
  const tested = new Set(ROWS.map(([key]) => key));
  const elsewhere = ['name', 'script', 'env_*'];
  t.same(
    Object.keys(PM2_KEYS).filter((key) => !tested.has(key)),
    elsewhere,
    'and no key is left out',
  );
});

t.test('whatever it comes to is an option that holdfast takes', async (t) => {
  for (const [key, value] of ROWS) {
    const { given } = translated({ name: 'x', script: 'x.js', [key]: value });
    t.same(checkLayer({ source: 'x', base: '/', given }).faults, [], `${key}: ${JSON.stringify(value)}`);
  }
});

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
