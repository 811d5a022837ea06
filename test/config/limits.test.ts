/** Options of health, limits, canaries, hooks, schedules and --watch, from each source and at their bounds. */
import t from 'tap';
import { parseCommandLine } from '../../src/cli/command-line/parse.js';
import type { Config } from '../../src/config/config.js';
import { variableOf } from '../../src/config/layers/environment.js';
import { loadConfig } from '../../src/config/load.js';
import type { SettingName } from '../../src/config/schema/schema.js';
import { faultsOf, sourceIn } from './support.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** An option, how it is written where all is text and in a file, and what it comes to. */
const OPTIONS: [name: SettingName, text: string, inFile: unknown, expected: Partial<Config>][] = [
  ['health', '/healthz?deep=1', '/healthz?deep=1', { health: '/healthz?deep=1' }],
  ['healthTimeout', '1h', '1h', { healthTimeoutMs: HOUR_MS }],
  ['healthInterval', '10ms', '10ms', { healthIntervalMs: 10 }],
  ['onCrashLoop', 'exit', 'exit', { onCrashLoop: 'exit' }],
  ['stopExitCodes', '0,64', [0, 64], { stopExitCodes: [0, 64] }],
  ['hangTimeout', '0', 0, { hangTimeoutMs: 0 }],
  ['maxMemory', '300M', '300M', { maxMemoryBytes: 300 * 1024 ** 2, maxMemoryTotalBytes: null }],
  ['maxMemory', '25%', '25%', { maxMemoryBytes: 1024 ** 3, maxMemoryTotalBytes: 1024 ** 3 }],
  ['maxRequests', '100000', 100_000, { maxRequests: 100_000 }],
  ['maxAge', '24h', '24h', { maxAgeMs: 24 * HOUR_MS }],
  ['maxEventLoopDelay', '200ms', '200ms', { maxEventLoopDelayMs: 200 }],
  ['canaryMaxErrorRate', '0.5%', '0.5%', { canaryMaxErrorRate: 0.005 }],
  ['canaryMaxLatency', '2.5', 2.5, { canaryMaxLatencyRatio: 2.5 }],
  ['canaryMaxLoopDelay', '1s', '1s', { canaryMaxLoopDelayMs: 1_000 }],
  ['canaryMinRequests', '20', 20, { canaryMinRequests: 20 }],
  ['beforeReload', 'npm run migrate && echo "done"', 'npm run migrate', { beforeReload: 'npm run migrate' }],
  ['beforeReloadTimeout', '5m', '5m', { beforeReloadTimeoutMs: 5 * MINUTE_MS }],
  ['hookTimeout', '5s', '5s', { hookTimeoutMs: 5_000 }],
  ['logMaxSize', '500K', '500K', { logMaxBytes: 500 * 1024 }],
  ['logMaxSize', '0', 0, { logMaxBytes: 0 }],
  ['logMaxAge', '12h', '12h', { logMaxAgeMs: 12 * HOUR_MS }],
  ['logMaxAge', '0', 0, { logMaxAgeMs: 0 }],
  ['logKeep', '3', 3, { logKeep: 3 }],
  ['logCompress', 'false', false, { logCompress: false }],
  ['reloadCron', '0 4 * * mon-fri', '0 4 * * mon-fri', { reloadCron: '0 4 * * mon-fri' }],
  ['watch', 'true', true, { watch: true }],
];

t.test('each of them is read from a file, the environment and the command line', async (t) => {
  for (const [name, text, inFile, expected] of OPTIONS) {
    const cwd = t.testdir({ 'app.js': '', 'x.json': JSON.stringify({ script: 'app.js', [name]: inFile }) });
    const load = async (source: object) => (await loadConfig(sourceIn(cwd, source))).config;
    // A shell command is a text whole, whatever is in it.
    const fromText = name === 'beforeReload' ? { beforeReload: text } : expected;
    t.match(await load({ target: 'x.json' }), expected, `${name} in a file`);
    t.match(await load({ target: 'app.js', env: { [variableOf(name)]: text } }), fromText, variableOf(name));
    t.match(await load({ target: 'app.js', flags: { [name]: text } }), fromText, `${name} on the command line`);
  }
});

t.test('values out of bounds are refused with what is allowed', async (t) => {
  const table: [name: SettingName, wrong: readonly unknown[], allowed: RegExp][] = [
    ['health', ['healthz', '', '/a b', '/ü', 'http://x/', 5, true], /^must be a path that begins with "\/"/],
    ['healthTimeout', ['0', '61m', 5], /from 1ms to 1h/],
    ['healthInterval', ['9ms', '61m'], /from 10ms to 1h/],
    ['onCrashLoop', ['stop', true], /^must be "keep" or "exit"$/],
    ['stopExitCodes', [[256], [-1], [1.5], ['0']], /^must be a whole number from 0 to 255$/],
    ['stopExitCodes', [0, '0'], /^must be a list of exit codes/],
    ['hangTimeout', ['25h', 10, '-1s'], /from 0 to 24h/],
    ['maxMemory', ['300', '1023K', '1.5G', 300, 0.8], /^must be a size of at least 1M.*, or a percentage/],
    ['maxMemory', ['0%', '0.9%', '100.1%', '101%', '-1%', '%', '80 %'], /, or a percentage from 1% to 100%$/],
    ['maxRequests', [0, -1, 1.5, '100'], /^must be a whole number of at least 1$/],
    ['maxAge', ['0', '999ms', 60], /duration from 1s/],
    ['maxEventLoopDelay', ['0', '61m', 200], /duration from 1ms to 1h/],
    ['canaryMaxErrorRate', ['101%', '-1%', '100.1%', '1', 0.01, 'low'], /^must be a percentage from 0% to 100%/],
    ['canaryMaxLatency', [0.9, 0, '1.5', 1001], /^must be a number from 1 to 1000$/],
    ['canaryMaxLoopDelay', ['0', '61m'], /from 1ms to 1h/],
    ['canaryMinRequests', [0, 1.5, '100'], /^must be a whole number from 1 to/],
    ['beforeReload', ['', 'a\0b', ['npm', 'test']], /^must be a shell command$/],
    ['beforeReloadTimeout', ['0', '25h'], /from 1ms to 24h/],
    ['reloadCron', ['@daily', '* * * *', '0 0 4 * * *', '60 * * * *', '0 0 30 2 *', '', 4], /five fields/],
    ['reloadCronTimeZone', ['Atlantis/City', '', 1], /^must be a time zone/],
    ['hookTimeout', ['0', '61m'], /from 1ms to 1h/],
    ['logMaxSize', ['50', '5MB', '01M', 50, -1], /^must be a size such as 500K, 50M or 1G, or 0$/],
    ['logMaxAge', ['7s', '25m', '5h', '90m', '1ms', '9000h', 24], /^must be 0, a part of a minute/],
    ['logKeep', [-1, 1.5, '3', 10_001], /^must be a whole number from 0 to 10000$/],
    ['watch', ['true', 1, 'src'], /^must be true or false$/],
  ];
  for (const [name, wrong, allowed] of table) {
    for (const value of wrong) {
      const file = { script: 'app.js', reloadCron: '0 4 * * *', [name]: value };
      const cwd = t.testdir({ 'app.js': '', 'x.json': JSON.stringify(file) });
      const faults = await faultsOf(sourceIn(cwd, { target: 'x.json' }));
      t.equal(faults.length, 1, `${name}: ${JSON.stringify(value)}`);
      t.match(faults[0]?.allowed, allowed, `${name}: ${JSON.stringify(value)}`);
    }
  }
});

t.test('values at the bounds are accepted', async (t) => {
  const cwd = t.testdir({ 'app.js': '' });
  const flags = {
    health: '/',
    healthTimeout: '1ms',
    healthInterval: '1h',
    stopExitCodes: ['0', '64,255'],
    hangTimeout: '24h',
    maxMemory: '1M',
    maxRequests: '1',
    maxAge: '1s',
    maxEventLoopDelay: '1ms',
    canaryMaxErrorRate: '100%',
    canaryMaxLatency: '1',
    canaryMinRequests: '1',
  };
  const { config } = await loadConfig(sourceIn(cwd, { target: 'app.js', flags }));
  t.match(config, {
    health: '/',
    healthTimeoutMs: 1,
    healthIntervalMs: HOUR_MS,
    stopExitCodes: [0, 64, 255],
    hangTimeoutMs: 24 * HOUR_MS,
    maxMemoryBytes: 1024 ** 2,
    maxRequests: 1,
    maxAgeMs: 1_000,
    maxEventLoopDelayMs: 1,
    canaryMaxErrorRate: 1,
    canaryMaxLatencyRatio: 1,
    canaryMinRequests: 1,
  });
});

t.test('exit codes on the command line that are none are refused one by one', async (t) => {
  const cwd = t.testdir({ 'app.js': '' });
  const flags = { stopExitCodes: ['0', '300,x'] };
  t.match(await faultsOf(sourceIn(cwd, { target: 'app.js', flags })), [
    { path: '--stop-exit-codes[1]', value: '300' },
    { path: '--stop-exit-codes[2]', value: '"x"' },
  ]);
});

t.test('a time zone needs a schedule, from whatever source', async (t) => {
  const cwd = t.testdir({ 'app.js': '', 'x.yaml': 'script: app.js\nreloadCronTimeZone: Europe/Berlin\n' });
  const source = (more: object) => sourceIn(cwd, { target: 'x.yaml', ...more });
  t.match(await faultsOf(source({})), [
    { path: 'reloadCronTimeZone', value: '"Europe/Berlin"', allowed: /^must have reloadCron beside it/ },
  ]);
  const { config } = await loadConfig(source({ env: { HOLDFAST_RELOAD_CRON: '0 4 * * *' } }));
  t.match(config, { reloadCron: '0 4 * * *', reloadCronTimeZone: 'Europe/Berlin' });
  t.match(
    (await faultsOf(source({ flags: { reloadCron: 'daily' } }))).map(({ path }) => path),
    ['--reload-cron'],
    'a fault does not cause another',
  );
});

t.test('--watch needs no value, and a variable takes true, false, 1 and 0', async (t) => {
  const cwd = t.testdir({ 'app.js': '', 'x.json': '{"script": "app.js", "watch": true}' });
  const parsed = await parseCommandLine(['start', '--watch', 'app.js']);
  t.match(parsed, { invocation: { operand: 'app.js', flags: { watch: true } } });
  const denied = await parseCommandLine(['start', '--no-watch', 'app.js']);
  t.match(denied, { invocation: { operand: 'app.js', flags: { watch: false } } });

  const load = async (source: object) => (await loadConfig(sourceIn(cwd, source))).config.watch;
  t.equal(await load({ target: 'app.js', flags: { watch: true } }), true);
  const env = { HOLDFAST_WATCH: 'true' };
  t.equal(await load({ target: 'x.json', env, flags: { watch: false } }), false, 'the command line wins');
  for (const [text, expected] of Object.entries({ true: true, 1: true, false: false, 0: false, '': true })) {
    t.equal(await load({ target: 'x.json', env: { HOLDFAST_WATCH: text } }), expected, JSON.stringify(text));
  }
  t.match(await faultsOf(sourceIn(cwd, { target: 'app.js', env: { HOLDFAST_WATCH: 'yes' } })), [
    { path: 'HOLDFAST_WATCH', value: '"yes"', allowed: 'must be true or false' },
  ]);
});

t.test('hooks are commands by what they are told of, in a file and on the command line', async (t) => {
  const cwd = t.testdir({ 'app.js': '', 'x.json': '{"script":"app.js","hooks":{"reloaded":"a","crashLoop":"b"}}' });
  const load = async (source: object) => (await loadConfig(sourceIn(cwd, source))).config.hooks;
  t.same(await load({ target: 'app.js' }), {});
  t.same(await load({ target: 'x.json' }), { reloaded: 'a', crashLoop: 'b' });
  t.same(await load({ target: 'app.js', flags: { hooks: ['reloaded=a --x=1', 'rolledBack=c'] } }), {
    ...{ reloaded: 'a --x=1', rolledBack: 'c' },
  });
  const faults = [
    [{ deployed: 'a' }, /^must be shell commands by what they are told of: reloaded, rolledBack, crashLoop$/],
    ['a', /^must be shell commands by/],
    [{ reloaded: '' }, /^must be a shell command$/],
    [{ reloaded: ['a'] }, /^must be a shell command$/],
  ] as const;
  for (const [hooks, allowed] of faults) {
    const folder = t.testdir({ 'app.js': '', 'x.json': JSON.stringify({ script: 'app.js', hooks }) });
    t.match(await faultsOf(sourceIn(folder, { target: 'x.json' })), [{ allowed }], JSON.stringify(hooks));
  }
});
