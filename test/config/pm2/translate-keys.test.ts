import t from 'tap';
import { checkLayer } from '../../../src/config/layers/layer.js';
import { KEY_OF_NAME, PM2_KEYS, type Verdict } from '../../../src/config/pm2/keys.js';
import { optionsOf, translated, verdictOf } from './support/translated.js';

const ALL_CODES = Array.from({ length: 256 }, (_, code) => code);

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
